import keras

from adversarial.rollback import Rollback


def kept(every=3):
    """A variable that counts the steps, kept for six of them."""
    variable, rollback = keras.Variable(0.0), Rollback(every)
    for step in range(7):
        variable.assign(step)
        rollback.keep([variable], step)
    variable.assign(99)
    return variable, rollback


def test_the_newest_copy_comes_back_first_and_then_the_one_before():
    variable, rollback = kept()
    assert rollback.go_back([variable]) == 6 and variable.numpy() == 6
    variable.assign(99)
    assert rollback.go_back([variable]) == 3 and variable.numpy() == 3
    variable.assign(99)
    assert rollback.go_back([variable]) == 3 and variable.numpy() == 3
    variable.assign(99)
    assert rollback.go_back([variable]) is None and variable.numpy() == 99


def test_a_new_copy_makes_good_what_went_wrong_before():
    variable, rollback = kept()
    for _ in range(3):
        assert rollback.go_back([variable]) is not None
    variable.assign(5)
    rollback.keep([variable], 5)  # too early
    variable.assign(6)
    rollback.keep([variable], 6)
    assert rollback.go_back([variable]) == 6
    assert rollback.go_back([variable]) == 3


def test_with_one_copy_there_is_no_other_to_go_back_to():
    variable, rollback = keras.Variable(1.0), Rollback(5)
    rollback.keep([variable], 0)
    assert [rollback.go_back([variable]) for _ in range(4)] == [0, 0, 0, None]


def test_a_copy_does_not_change_with_the_variable():
    variable, rollback = keras.Variable([1.0, 2.0]), Rollback(1)
    rollback.keep([variable], 0)
    variable.assign_add([5.0, 5.0])
    rollback.go_back([variable])
    assert variable.numpy().tolist() == [1, 2]


def test_what_is_forgotten_is_kept_anew():
    variable, rollback = kept()
    rollback.forget()
    variable.assign(7)
    rollback.keep([variable], 6)
    variable.assign(99)
    assert rollback.go_back([variable]) == 6 and variable.numpy() == 7
