"""The tools that agents are offered, over MCP and as an OpenAPI document: each is a route, told to a language model.

A tool adds nothing to its route: what it takes is checked by the route's models, and the route's handler answers.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

# An agent looks again after this long. API Gateway waits 29 s, watsonx Orchestrate 40 s in a chat.
_WAIT = MappingProxyType({"Prefer": "wait=20"})
_AT_ONCE = MappingProxyType({"Prefer": "respond-async"})
_UNDER_WAY = "The job is under way: call get_job with this job_id until its status is neither queued nor running."
_CHOICES = ("model", "quality", "size", "output_format", "background")

# Of every tool that starts a job.
_KEY = "idempotency_key"


@dataclass(frozen=True)
class Tool:
    """One tool; what it does and takes is said for a language model, which chooses a tool by this text alone."""

    # As MCP and Bedrock take it: letters, digits and underscores.
    name: str
    # Which route it is.
    operation_id: str
    title: str
    description: str
    # Which of the route's parameters, headers and fields it shows, in this order: never an image as base64.
    arguments: tuple[str, ...]
    example: Mapping[str, Any]
    # The headers that it sends with every call.
    headers: Mapping[str, str] = field(default_factory=dict)
    # What a model is told after a 202.
    after_acceptance: str = ""
    # MCP's hints.
    read_only: bool = False
    destructive: bool = False


TOOLS: tuple[Tool, ...] = (
    Tool(
        "edit_image",
        "processImageAsyncToCos",
        "Edit one image",
        "Edits one image as the prompt asks and stores the result. Use it when a user wants a picture changed. Not for "
        "a whole folder, which edit_folder edits, nor to make a picture from nothing. Give the prompt and exactly one "
        "of image_url (a public https address) and image_key (from create_upload). Every call is paid, by the "
        "prices that list_models tells. Answers within 20 seconds with the job: status completed and "
        "result.result_url, a link that works for result.expires_in seconds, or status failed and error. An edit that "
        "takes longer answers accepted and a job_id, which get_job takes.",
        (
            *("prompt", "image_url", "image_key", "filename", *_CHOICES),
            *("search", "mask_key", "reference_urls", "reference_keys", _KEY),
        ),
        {"prompt": "replace the sky by a sunset", "image_url": "https://pictures.example/harbour.jpg"},
        headers=_WAIT,
        after_acceptance=_UNDER_WAY,
    ),
    Tool(
        "edit_folder",
        "batchProcessImages",
        "Edit every image of a folder",
        "Edits every image of a folder of the service's input bucket with one prompt. Use it when a user wants many "
        "stored pictures changed alike. Not for a single picture, which edit_image edits. Every image is paid, so call "
        "it with dry_run true first: nothing is edited, and get_job then tells in estimate how many images there are "
        "and what they would cost. Tell the user both, and call it again without dry_run when they agree; max_cost_usd "
        "bounds the cost. Answers at once with a job_id: get_job tells how far it is and how it ended.",
        ("prompt", "prefix", "folder", "max_files", "output_prefix", *_CHOICES, "dry_run", "max_cost_usd", _KEY),
        {"prompt": "remove the background", "prefix": "shoes", "dry_run": True},
        headers=_AT_ONCE,
        after_acceptance=_UNDER_WAY,
    ),
    Tool(
        "get_job",
        "getJob",
        "See how a job stands",
        "Tells how a job stands: its status, a folder's progress, the result with fresh links, the cost, or the error "
        "in words. Use it after edit_image or edit_folder gave a job_id, and when links have expired. Not to start "
        "anything. It is free. Answers as soon as there is news, after 20 seconds at the latest; while status is "
        "queued or running call it again, and tell the user how far it is.",
        ("job_id",),
        {"job_id": "2f1c7a52-7b1e-4f0e-9a52-0d6f3c1b8e77"},
        headers=_WAIT,
        read_only=True,
    ),
    Tool(
        "list_jobs",
        "listJobs",
        "List recent jobs",
        "Lists this caller's jobs, newest first, each with its status. Use it when a user asks what was done, or when "
        "a job_id is lost. Not for the images of one folder, which list_job_images lists. It is free. Answers with a "
        "page of jobs; next is the cursor of the page after it.",
        ("limit", "status", "cursor"),
        {"limit": 5, "status": "failed"},
        read_only=True,
    ),
    Tool(
        "list_job_images",
        "listJobImages",
        "List the images of a folder's job",
        "Lists what became of each image of an edit_folder job, with fresh links to the picture before and after. Use "
        "it to show results, or to tell which images failed and why. Not for a job of edit_image, which get_job tells "
        "all of. It is free. Answers with a page of images; next is the cursor of the page after it.",
        ("job_id", "limit", "status", "cursor"),
        {"job_id": "2f1c7a52-7b1e-4f0e-9a52-0d6f3c1b8e77", "status": "failed"},
        read_only=True,
    ),
    Tool(
        "cancel_job",
        "cancelJob",
        "Cancel a job",
        "Cancels a job that has no result yet: no further image of it is edited. Use it only when the user asks for "
        "it. Not for a job that has ended, which stays as it is. It is free; what was edited before is paid. Answers "
        "with accepted; get_job then tells that the job is cancelled.",
        ("job_id",),
        {"job_id": "2f1c7a52-7b1e-4f0e-9a52-0d6f3c1b8e77"},
        after_acceptance="The job is being cancelled: get_job tells how it ended.",
        destructive=True,
    ),
    Tool(
        "retry_failed",
        "retryJob",
        "Edit a folder's failed images again",
        "Starts a new job for those images of an ended edit_folder job that failed, with the same prompt. Use it when "
        "a user wants the rest of a folder done. Not while that job runs, nor when none of its images failed. Every "
        "image is paid. Answers at once with the job_id of the new job, which get_job takes.",
        ("job_id", _KEY),
        {"job_id": "2f1c7a52-7b1e-4f0e-9a52-0d6f3c1b8e77"},
        headers=_AT_ONCE,
        after_acceptance=_UNDER_WAY,
    ),
    Tool(
        "list_models",
        "listModels",
        "List the models",
        "Lists the models that edit_image and edit_folder may name, with their prices and what each takes: qualities, "
        "sizes, formats, masks, reference pictures. Use it before naming a model or an option. Not needed otherwise: "
        "without a model the default one edits. It is free. Answers with the models, the default one marked.",
        (),
        {},
        read_only=True,
    ),
    Tool(
        "create_upload",
        "createUpload",
        "Prepare the upload of an image",
        "Gives a form to which a file of up to 50 MB is posted directly, and the image_key that edit_image then takes. "
        "Use it when a picture has no public https address and you can send HTTP requests yourself. Not when you "
        "cannot: ask the user for an address then. State the file's exact size in bytes. It is free. Answers with url, "
        "fields and image_key: post every one of fields, then the file as field file, as multipart/form-data.",
        ("filename", "content_type", "size"),
        {"filename": "harbour.jpg", "content_type": "image/jpeg", "size": 2400000},
    ),
)
