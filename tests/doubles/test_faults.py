"""Faults on demand."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from cloudml.doubles.faults import Faults, Kind


def test_a_fault_strikes_the_operations_of_its_pattern_once():
    faults = Faults()
    faults.refuse("sagemaker:Create*", "ThrottlingException")
    assert faults.strike("sagemaker:DescribeModel") is None
    assert faults.strike("sagemaker:CreateModel").code == "ThrottlingException"
    assert faults.strike("sagemaker:CreateModel") is None


def test_it_can_wait_and_strike_several_times():
    faults = Faults()
    fault = faults.refuse("s3:PutObject", "SlowDown", first=3, times=2)
    struck = [faults.strike("s3:PutObject") is not None for _ in range(6)]
    assert struck == [False, False, True, True, False, False]
    assert (fault.seen, fault.struck) == (6, 2)


def test_it_can_strike_for_ever():
    faults = Faults()
    faults.happen(Kind.DROP, "*", times=None)
    assert all(faults.strike("a:b") for _ in range(5))
    faults.clear()
    assert faults.strike("a:b") is None


def test_it_can_be_about_one_thing():
    faults = Faults()
    faults.refuse("sagemaker:*", "ValidationException", about="job-1")
    assert faults.strike("sagemaker:DescribeTrainingJob", "job-2") is None
    assert faults.strike("sagemaker:DescribeTrainingJob", "job-1")


def test_a_domain_fault_is_looked_up_and_strikes_no_request():
    faults = Faults()
    faults.domain("spot", "job-*", line="epoch 2")
    assert faults.strike("spot", "job-1") is None
    assert faults.look_up("spot", "other") is None
    assert faults.look_up("spot", "job-1").facts == {"line": "epoch 2"}


def test_a_denial_can_be_asked_for_without_being_met():
    faults = Faults()
    fault = faults.refuse("sagemaker:Create*", "AccessDeniedException", times=None)
    assert faults.denies("sagemaker:CreateModel")
    assert not faults.denies("sagemaker:DeleteModel")
    assert fault.seen == 0


def test_many_at_once_are_struck_as_often_as_was_said():
    faults = Faults()
    faults.refuse("a:b", "Throttling", times=50)
    with ThreadPoolExecutor(8) as pool:
        struck = list(pool.map(lambda _: faults.strike("a:b") is not None, range(400)))
    assert sum(struck) == 50
