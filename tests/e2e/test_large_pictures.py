"""Pictures that take much memory, on the embedded AWS: the small function hands them over, the large one edits them."""

from base64 import b64encode
from collections.abc import Callable

from imagejobs.executions import ExecutionName, Executions
from local.stack import StackInfo
from standins.openai import OpenAIStandIn
from standins.openai_answers import edited
from tests.e2e.conftest import Service
from tests.support.pictures import picture
from tools.cost.history import names

# 25 megapixels in a file of some 100 KB.
LARGE = (5000, 5000, "white")


def test_a_large_single_picture_is_handed_over_once_and_paid_once(
    service: Service, stack: StackInfo, openai: OpenAIStandIn
) -> None:
    openai.will_answer(edited(picture()))
    job_id = service.submit("/process-image-async", image_base64=b64encode(picture(*LARGE)).decode())

    assert service.callback(job_id)["status"] == "completed"
    assert len(openai.calls) == 1
    client = stack.client("stepfunctions")
    states = names(client, Executions(client, stack.state_machine_arn).arn(ExecutionName(job_id)))
    handed_over = ["EditImage", "IsImageEdited", "UseLargerFunction", "EditImage", "IsImageEdited"]
    assert states == ["ChooseOperation", "StartSmall", *handed_over, "DeliverCallback"]


def test_a_batch_hands_over_its_large_pictures_alone(
    service: Service, openai: OpenAIStandIn, input_folder: Callable[..., str]
) -> None:
    openai.will_answer(edited(picture()))
    prefix = input_folder(small_png=picture(), large_png=picture(*LARGE))

    payload = service.callback(service.submit_batch(prefix=prefix))

    assert (payload["status"], payload["processed"]) == ("completed", 2)
    assert len(openai.calls) == 2
