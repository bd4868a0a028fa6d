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
        description="Edits one image as the prompt asks and gives the edited image itself back, as base64. Use it "
        "when a program or a flow works on the result right away. Do not use it for a folder "
        "(batchProcessImages), and not where a language model would hold the image: then take the "
        "operation that gives a link. Give the prompt in plain words and exactly one of the image's "
        "fields. Each call costs one edit, cents of a US dollar. The edit takes from seconds to minutes; "
        "the result arrives by callback and gives back status completed, with result_image_base64 and "
        "result_mime_type, or failed, with error, which says why. Example: prompt 'replace the sky by a "
        "sunset', image_url 'https://example.com/sea.jpg'.",
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
        "it. Use it when one image is to be edited and the result is to be seen, kept or shared. Do not "
        "use it for a folder (batchProcessImages), nor again while an edit is under way (getJob tells). "
        "Give the prompt in plain words and exactly one of the image's fields: image_url for an image at "
        "an https address, image_key for one that was uploaded. Each call costs one edit, cents of a US "
        "dollar. The edit takes from seconds to minutes; the result arrives by callback and gives back "
        "status completed, with result_url, which works for expires_in seconds, and object_key, or "
        "failed, with error, which says why. Example: prompt 'replace the sky by a sunset', image_url "
        "'https://example.com/sea.jpg'.",
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
        description="Edits every image of the configured folder with one and the same prompt and stores the results. "
        "Use it to edit a folder, or a part of it by prefix or max_files, and first of all with dry_run "
        "true to learn the number of images and the cost. Do not use it for one image, nor without a dry "
        "run and the user's yes to its numbers. It costs one edit for each image, which max_cost_usd "
        "bounds; with dry_run true it costs nothing. The one callback at the end gives back the counts "
        "total_files, processed and failed, where the results are (output_bucket, output_prefix) and up "
        "to 20 errors; a dry run gives back counts of 0, and its one line in errors names the number of "
        "images and the cost. status is completed, completed_with_errors when an image failed, or failed, "
        "with error, when the batch could not run. Example: prompt 'put the product on a white "
        "background', dry_run true.",
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
        description="Lists the caller's jobs, newest first. Use it when the user asks about a job and does not know "
        "its id. Do not use it to see how far a known job is (getJob tells more). It costs nothing. Gives "
        "back of each job its job_id, operation, status and times, and next, the cursor of the page after "
        "it, where there is one; with status or operation a page may be short or empty though there is a "
        "next one. Example: limit 5, status 'running'.",
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
        description="Tells how a job stands. Use it when the user asks how far a job is, why it failed or what it "
        "cost, before its callback arrives or after its links have expired. Do not use it in a loop: ask "
        "again after some seconds at the earliest. It costs nothing. Gives back status; for a batch that "
        "runs, progress with total, succeeded, failed, running and pending; when it has ended, result "
        "with fresh links and counts, usage with the cost, and error when it failed; and how the delivery "
        "of the callback went. Example: job_id '5f0c1d9e-6f3a-4c3b-9b1e-0a4d6c7e8f90'.",
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
        description="Cancels a job that has no result yet. Use it when the user wants a job stopped. Do not use it "
        "for a job that has ended: its result stays as it is (409). It costs nothing, and no further "
        "image of the job is edited or paid; images that are edited already stay paid and stored. Gives "
        "back accepted and job_id; the job's callback arrives with status failed and error cancelled. "
        "Asking twice does no harm. Example: job_id '5f0c1d9e-6f3a-4c3b-9b1e-0a4d6c7e8f90'.",
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
        description="Starts a new batch of those images of a finished batch that failed, with the same prompt. Use it "
        "when a batch ended with status completed_with_errors and the user wants the failed images tried "
        "again. Do not use it while the batch runs or when none of its images failed (409), nor for a "
        "single image. It costs one edit for each of those images. The new job has an id and a callback "
        "of its own, which gives back counts, errors and where the results are, as batchProcessImages "
        "does; it goes to callbackUrl or, without one, to where the earlier batch's went. Example: job_id "
        "'5f0c1d9e-6f3a-4c3b-9b1e-0a4d6c7e8f90'.",
        problems=(401, 404, 409),
        callback=BatchCallback,
    ),
)
