"""What the models of all engines share."""

import adversarial
from adversarial.backend import trainer_of_data


def test_a_game_is_one_of_these_models(bilinear):
    model = bilinear.model()
    assert isinstance(model, trainer_of_data.GameModel)
    assert isinstance(model, adversarial.AdversarialModel)


def test_a_step_is_asked_for_by_another_name():
    class Plays(trainer_of_data.GameModel):
        loose_variables = ()

        def play(self, data):
            return {"played": data}

        def judge(self, data):
            return {"judged": data}

    model = Plays()
    step = trainer_of_data.GameModel
    assert step.train_step(model, 3) == {"played": 3}
    assert step.test_step(model, 4) == {"judged": 4}


def test_a_function_of_keras_is_wrapped(bilinear):
    def twice(run):
        return lambda batches: 2 * run(batches)

    model = bilinear.model()
    found = trainer_of_data.GameModel.around(model, lambda x: x + 1, twice)
    assert found(1) == 4
