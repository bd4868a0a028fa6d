"""What the template promises of data and access: policies that name things, buckets that are shut, secrets kept."""

import json
from collections import Counter
from typing import Any

import pytest

from imagejobs.upload_folders import folder_prefix
from tools.render import template

RESOURCES: dict[str, Any] = template()["Resources"]


def test_what_is_written_once_cannot_be_written_unconditionally() -> None:
    (statement,) = [
        one
        for one in RESOURCES["JobsBucketPolicy"]["Properties"]["PolicyDocument"]["Statement"]
        if one["Sid"] == "WrittenOnce"
    ]

    # The condition's key is absent (Null) from a PutObject without If-None-Match, and when a multipart upload begins.
    assert {name: statement[name] for name in ("Effect", "Principal", "Action", "Condition")} == {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:PutObject",
        "Condition": {"Null": {"s3:if-none-match": "true"}},
    }
    covered = {resource["Fn::Sub"].removeprefix("${JobsBucket.Arn}/") for resource in statement["Resource"]}
    assert covered == {"jobs/*/request.json", "jobs/*/callback.json", "idempotency/*"}


def test_nothing_of_a_job_outlives_its_records() -> None:
    rules = RESOURCES["JobsBucket"]["Properties"]["LifecycleConfiguration"]["Rules"]

    # Without a filter the rule holds for the whole bucket, so for idempotency/ as for jobs/.
    assert [rule["ExpirationInDays"] for rule in rules if not {"Filter", "Prefix"} & set(rule)] == [
        {"Ref": "JobsExpirationDays"}
    ]


def listed(value: Any) -> list[Any]:
    """A policy's Action or Resource as a list, as which IAM takes one alone too."""
    return value if isinstance(value, list) else [value]


def statements() -> list[tuple[str, dict[str, Any]]]:
    """Every policy statement of the functions and the state machine."""
    found = []
    for name, resource in RESOURCES.items():
        for policy in resource.get("Properties", {}).get("Policies", []) or []:
            for chosen in policy.get("Fn::If", [None, policy])[1:]:
                found += [(name, statement) for statement in chosen.get("Statement", [])]
    return found


@pytest.mark.parametrize(("owner", "statement"), statements(), ids=lambda value: str(value)[:60])
def test_policies_name_actions_and_resources(owner: str, statement: dict[str, Any]) -> None:
    assert statement["Sid"]
    assert not any("*" in action for action in listed(statement["Action"]))
    # Log delivery and X-Ray have no resource-level permissions (Service Authorization Reference).
    assert statement["Resource"] != "*" or statement["Sid"] in ("DeliverLogs", "Trace")


def test_no_role_has_the_same_right_twice() -> None:
    rights = [
        (owner, action, json.dumps(resource, sort_keys=True))
        for owner, statement in statements()
        for action in listed(statement["Action"])
        for resource in listed(statement["Resource"])
    ]

    assert [right for right, times in Counter(rights).items() if times > 1] == []


def test_a_redriven_batch_may_redrive_its_map_run() -> None:
    (statement,) = [one for owner, one in statements() if "states:RedriveExecution" in listed(one["Action"])]

    # The children of a map run are executions of {state machine}/{label}.
    assert statement["Resource"]["Fn::Sub"].endswith(":execution:${AWS::StackName}-image-job/*:*")


@pytest.mark.parametrize("bucket", ["JobsBucket", "InputBucket", "OutputBucket"])
def test_buckets_are_private_encrypted_and_tls_only(bucket: str) -> None:
    properties = RESOURCES[bucket]["Properties"]
    assert set(properties["PublicAccessBlockConfiguration"].values()) == {True}
    assert "BucketEncryption" in properties
    statement, *_ = RESOURCES[f"{bucket}Policy"]["Properties"]["PolicyDocument"]["Statement"]
    assert (statement["Effect"], statement["Action"]) == ("Deny", "s3:*")
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def rules(bucket: str) -> dict[str, Any]:
    """The lifecycle rules of a bucket, by their ids."""
    return {rule["Id"]: rule for rule in RESOURCES[bucket]["Properties"]["LifecycleConfiguration"]["Rules"]}


def test_a_map_run_may_write_its_results_for_as_long_as_an_execution_runs() -> None:
    """ResultWriter's multipart uploads stay unfinished while the batch runs."""
    rule = rules("JobsBucket")["ExpireJobs"]
    days = rule["AbortIncompleteMultipartUpload"]["DaysAfterInitiation"]
    assert days * 86400 > template()["Parameters"]["ExecutionTimeoutSeconds"]["Default"]
    assert days == 7


def test_jobs_expire_after_a_configurable_number_of_days() -> None:
    assert rules("JobsBucket")["ExpireJobs"]["ExpirationInDays"] == {"Ref": "JobsExpirationDays"}


def test_uploads_are_gone_after_a_day() -> None:
    rule = rules("JobsBucket")["ExpireUploads"]

    assert (rule["Status"], rule["Prefix"], rule["ExpirationInDays"]) == ("Enabled", "uploads/", 1)


def test_of_the_input_bucket_only_folders_of_uploads_are_written_and_expire() -> None:
    """The owner's own pictures lie there too: the code, the rights and the rule name one prefix, and only it."""
    prefix = f"{folder_prefix('anyone', 'folder').split('/')[0]}/"
    (rule,) = rules("InputBucket").values()
    changed = [
        resource["Fn::Sub"]
        for _, statement in statements()
        for resource in listed(statement["Resource"])
        if {"s3:PutObject", "s3:DeleteObject"} & set(listed(statement["Action"]))
        and "InputBucket" in json.dumps(resource)
    ]

    assert (rule["Status"], rule["Prefix"]) == ("Enabled", prefix)
    assert rule["ExpirationInDays"] == {"Ref": "JobsExpirationDays"}
    assert changed == [f"${{InputBucket.Arn}}/{prefix}*"] * 2
    assert rules("JobsBucket")["ExpireUploads"]["Prefix"] != prefix


def test_browsers_may_use_the_links_into_each_bucket() -> None:
    jobs, *others = [
        RESOURCES[f"{one}Bucket"]["Properties"]["CorsConfiguration"] for one in ("Jobs", "Input", "Output")
    ]

    assert {"GET", "POST"} <= set(jobs["CorsRules"][0]["AllowedMethods"])
    assert others == [jobs, jobs]


def test_outputs_expire_only_when_the_owner_says_so() -> None:
    unconditional, chosen = RESOURCES["OutputBucket"]["Properties"]["LifecycleConfiguration"]["Rules"]

    assert "ExpirationInDays" not in unconditional
    condition, rule, otherwise = chosen["Fn::If"]
    assert (condition, otherwise) == ("ExpireOutputs", {"Ref": "AWS::NoValue"})
    assert (rule["Status"], rule["ExpirationInDays"]) == ("Enabled", {"Ref": "OutputExpirationDays"})
    assert template()["Parameters"]["OutputExpirationDays"]["Default"] == 0
    expected = {"Fn::Not": [{"Fn::Equals": [{"Ref": "OutputExpirationDays"}, 0]}]}
    assert template()["Conditions"]["ExpireOutputs"] == expected


def test_a_report_that_was_left_unfinished_is_dropped_whether_outputs_expire_or_not() -> None:
    rule, _ = RESOURCES["OutputBucket"]["Properties"]["LifecycleConfiguration"]["Rules"]

    assert rule == {
        "Id": "AbortUploads",
        "Status": "Enabled",
        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7},
    }


def test_cloudformation_never_writes_the_owners_secret_anew() -> None:
    """It writes what SecretString says whenever that text changes: no member may ever be added here."""
    secret = RESOURCES["OwnerSecret"]

    assert secret["Properties"] == {
        "Description": "The owner's keys and tokens for wxo-image-jobs. "
        "Fill in the empty members after the first deployment.",
        "SecretString": '{"OPENAI_API_KEY": "", "COS_ACCESS_KEY_ID": "", "COS_SECRET_ACCESS_KEY": "", '
        '"WORKSHOP_TOKEN": ""}',
    }
    assert (secret["DeletionPolicy"], secret["UpdateReplacePolicy"]) == ("RetainExceptOnCreate", "Retain")


def test_cloudformation_never_makes_the_signing_key_anew() -> None:
    """Any change within GenerateSecretString would, and every receiver would refuse the next callback."""
    assert RESOURCES["SigningSecret"]["Properties"] == {
        "Description": "The key by which wxo-image-jobs signs callbacks, made by the stack",
        "GenerateSecretString": {
            "SecretStringTemplate": "{}",
            "GenerateStringKey": "CALLBACK_SIGNING_KEY",
            "PasswordLength": 44,
            "ExcludePunctuation": True,
        },
    }


def test_each_function_may_read_only_the_secret_that_it_needs() -> None:
    def readers(condition: int) -> dict[str, list[str]]:
        """Who may read which secret, with the stack's own buckets (1) or with COS (2)."""
        found: dict[str, list[str]] = {}
        for name, resource in RESOURCES.items():
            for policy in resource.get("Properties", {}).get("Policies", []) or []:
                chosen = policy.get("Fn::If", [None, policy, policy])[condition]
                for statement in chosen.get("Statement", []):
                    if statement["Action"] == "secretsmanager:GetSecretValue":
                        found.setdefault(statement["Resource"]["Ref"], []).append(name)
        return found

    editing = ["AcceptFunction", "ProcessImageFunction", "ProcessSmallImageFunction"]
    assert readers(1) == {"OwnerSecret": editing, "SigningSecret": ["CallbackFunction"]}
    assert readers(2) == {
        "OwnerSecret": [*editing, "BatchFanoutFunction", "CallbackFunction"],
        "SigningSecret": ["CallbackFunction"],
    }
