"""The rows of the route table that are about jobs; `routes` has the whole table."""

from typing import Any

from functions.accept.http import examples, handlers
from functions.accept.http.answers import Accepted, Job, JobAction, Upload, UploadFolder
from functions.accept.http.list_answers import JobImageList, JobList
from functions.accept.http.requests import (
    BatchSubmission,
    ImagesListing,
    ImageSubmission,
    JobAddress,
    JobReading,
    JobsListing,
    RetrySubmission,
    UploadSubmission,
)
from functions.accept.http.route import Route
from imagejobs.callbacks import Base64Callback, BatchCallback, UrlCallback

JOB_ROUTES: tuple[Route[Any], ...] = (
    Route(
        "POST",
        "/process-image-async-b64",
        handlers.submit_base64,
        ImageSubmission,
        {202: Accepted, 200: Job},
        operation_id="processImageAsyncToBase64",
        summary="Edit one image and give it back",
        description="Edits one image as the prompt asks and gives the edited image itself back, as base64. Use it when "
        "the result is to be shown or worked on right away. Give the prompt in plain words and the image as "
        "image_base64, without a data: prefix; for an image over 4 MB give image_key or image_url instead, exactly one "
        "of the three. The edit takes from seconds to minutes; the result arrives by callback with status completed "
        "(then result_image_base64 and result_mime_type) or failed (then error, which says why).",
        problems=(401, 409, 413),
        callback=Base64Callback,
        example=examples.IMAGE,
        tool=True,
    ),
    Route(
        "POST",
        "/process-image-async",
        handlers.submit_url,
        ImageSubmission,
        {202: Accepted, 200: Job},
        operation_id="processImageAsyncToCos",
        summary="Edit one image and store it",
        description="Edits one image as the prompt asks, stores the result in object storage and gives back a link to "
        "it. Use it when the result is to be kept or shared. Give the prompt in plain words and the image as "
        "image_base64, without a data: prefix; for an image over 4 MB give image_key or image_url instead, exactly one "
        "of the three. The result arrives by callback with status completed (then result_url, which works for "
        "expires_in seconds, and object_key) or failed (then error, which says why).",
        problems=(401, 409, 413),
        callback=UrlCallback,
        example=examples.IMAGE,
        tool=True,
    ),
    Route(
        "POST",
        "/batch-process-images",
        handlers.submit_batch,
        BatchSubmission,
        {202: Accepted, 200: Job},
        operation_id="batchProcessImages",
        summary="Edit every image of a folder",
        description="Edits every image in the configured input bucket with one and the same prompt and stores the "
        "results in the output bucket. Use it when a whole folder is to be edited; no image is passed. The one "
        "callback at the end holds the counts (total_files, processed, failed), where the results are (output_bucket, "
        "output_prefix) and up to 20 errors. Its status is completed, completed_with_errors when at least one image "
        "failed, or failed with error when the batch could not run. With dry_run true nothing is edited or paid: the "
        "one line in errors says how many images would be edited and for about how much. max_cost_usd bounds the cost.",
        problems=(401, 409, 413),
        callback=BatchCallback,
        example=examples.BATCH,
        tool=True,
    ),
    Route(
        "POST",
        "/uploads",
        handlers.create_upload,
        UploadSubmission,
        {201: Upload | UploadFolder},
        operation_id="createUpload",
        summary="Prepare the upload of a large image, or of a folder of images",
        description="Gives a form to which one image of up to 50 MB is posted directly, and the image_key by which a "
        "job then names it. Use it for an image over 4 MB. State the file's exact size in bytes: the form takes "
        "nothing else, and expires after expires_in seconds. With files, up to 100 of them, it gives an address for "
        "each, and the folder that POST /batch-process-images then takes; with that folder a further call adds to it.",
        problems=(401,),
        example=examples.UPLOAD,
    ),
    Route(
        "GET",
        "/jobs",
        handlers.list_jobs,
        JobsListing,
        {200: JobList},
        operation_id="listJobs",
        summary="List your jobs",
        description="Lists the caller's jobs, newest first, a page at a time: next is the cursor of the page after it. "
        "Use status and operation to see only some of them; a page may then be short or empty though there is a next "
        "one. GET /jobs/{job_id} tells more of one job.",
        problems=(401,),
    ),
    Route(
        "GET",
        "/jobs/{job_id}/images",
        handlers.list_images,
        ImagesListing,
        {200: JobImageList},
        operation_id="listJobImages",
        summary="List the images of a batch",
        description="Lists what became of each image of a batch, with fresh links to the picture before and after its "
        "edit, a page at a time: next is the cursor of the page after it. While the batch runs, and of one that was "
        "ended early, it lists the images that have an edit; failed ones are told when the batch has ended. It is "
        "refused (409) for a job that is not a batch.",
        problems=(401, 404, 409),
    ),
    Route(
        "GET",
        "/jobs/{job_id}",
        handlers.read_job,
        JobReading,
        {200: Job},
        operation_id="getJob",
        summary="See a job",
        description="Tells how a job stands: its status, a batch's progress, the result with fresh links once there is "
        "one, and how the delivery of the callback went. Use it to look at a job before its callback arrives, or after "
        "its links have expired. While the job runs, the header Retry-After says when to ask again; with Prefer: "
        "wait=N the answer comes as soon as status or progress have changed.",
        problems=(401, 404),
    ),
    Route(
        "DELETE",
        "/jobs/{job_id}",
        handlers.cancel_job,
        JobAddress,
        {202: JobAction},
        operation_id="cancelJob",
        summary="Cancel a job",
        description="Cancels a job that has no result yet: no further image of it is edited, and its callback arrives "
        "with status failed and error cancelled. Asking twice does no harm. A job that has its result stays as it is "
        "(409).",
        problems=(401, 404, 409),
    ),
    Route(
        "POST",
        "/jobs/{job_id}/redeliver",
        handlers.redeliver_job,
        JobAddress,
        {202: JobAction},
        operation_id="redeliverJob",
        summary="Send a job's callback again",
        description="Posts the callback of a finished job once more, to the same callbackUrl and with the same bytes. "
        "Use it after a receiver was down. It is refused (409) while the job has no result or a delivery is under way, "
        "for a job that was posted without a callbackUrl, "
        "and (429) when the job was redelivered a moment ago, or as often as the service allows.",
        problems=(401, 404, 409),
    ),
    Route(
        "DELETE",
        "/jobs/{job_id}/data",
        handlers.erase_job,
        JobAddress,
        {202: JobAction, 204: None},
        operation_id="eraseJobData",
        summary="Erase what a finished job holds",
        description="Erases a finished job's input, prompt, result and callback at once and for good; that the job "
        "existed stays known. 204 means that nothing is left, 202 that there was more than fits into one request: send "
        "it again. Asking twice does no harm. It is refused (409) while the job runs or its callback is under way.",
        problems=(401, 404, 409),
    ),
    Route(
        "POST",
        "/jobs/{job_id}/retry",
        handlers.retry_job,
        RetrySubmission,
        {202: Accepted, 200: Job},
        operation_id="retryJob",
        summary="Edit a batch's failed images again",
        description="Starts a new batch of those images of a finished batch that failed, with the same prompt. The new "
        "job has an id and a callback of its own, which goes to callbackUrl or, without one, to where the earlier "
        "batch's went. It is refused (409) while the batch runs and when none of its images failed.",
        problems=(401, 404, 409),
        callback=BatchCallback,
    ),
)
