#!/usr/bin/env bash
# Removes from the active environment of watsonx Orchestrate what wxo/import-all.sh put there, in the opposite order. Can
# be repeated: what is not there is passed over. The connection, with its credentials, goes last; KEEP_CONNECTION=1 keeps
# it.
#
#   orchestrate env activate <name>
#   wxo/remove-all.sh
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

APP_ID=${APP_ID:-image_jobs}

command -v orchestrate >/dev/null || {
    echo "remove-all: the command 'orchestrate' is missing: make adk && source .venv-adk/bin/activate" >&2
    exit 1
}

missed=0
remove() {
    echo "== $*"
    orchestrate "$@" || missed=$((missed + 1))
}

remove agents remove --name image_editor --kind native
for tool in edit_folder edit_image_and_store edit_image_and_show fetch_result upload_image base64_to_image \
    image_to_base64 listJobs retryJob cancelJob getJob editImage batchProcessImages processImageAsyncToCos \
    processImageAsyncToBase64; do
    remove tools remove --name "$tool"
done
[[ -n ${KEEP_CONNECTION:-} ]] || remove connections remove --app-id "$APP_ID"
echo "done; $missed were not there or could not be removed: see above"
