#!/usr/bin/env bash
# Removes from the active environment of watsonx Orchestrate what wxo/import-all.sh put there, in the opposite order. Says
# of each whether it was removed, was not there or is still there, and succeeds only when none is left. The connection,
# with its credentials, goes last; KEEP_CONNECTION=1 keeps it.
#
#   orchestrate env activate <name>
#   wxo/remove-all.sh
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

APP_ID=${APP_ID:-image_jobs}

fail() {
    echo "remove-all: $*" >&2
    exit 1
}

command -v orchestrate >/dev/null || fail "the command 'orchestrate' is missing: make adk && source .venv-adk/bin/activate"
grep -s '^ *active_environment: ' ~/.config/orchestrate/config.yaml | grep -vq ' null$' ||
    fail "no environment is active: orchestrate env activate NAME (orchestrate env add makes one, see docs/wxo.md)"

items=("agents image_editor")
for tool in edit_folder edit_image_and_store edit_image_and_show fetch_result upload_image base64_to_image \
    image_to_base64 listJobs retryJob cancelJob getJob editImage batchProcessImages processImageAsyncToCos \
    processImageAsyncToBase64; do
    items+=("tools $tool")
done
[[ -n ${KEEP_CONNECTION:-} ]] || items+=("connections $APP_ID")

# The names in a list's JSON, each behind its kind. What else the kit has to say comes before the JSON.
names='
import json, re, sys

kind, text = sys.argv[1], sys.stdin.read()
listed, _ = json.JSONDecoder().raw_decode(text, re.search(r"^(\[\]|[\[{])$", text, re.MULTILINE).start())
for row in (listed["native"] if kind == "agents" else listed) or []:
    print(kind, row["app_id" if kind == "connections" else "name"])
'

# What the environment has, a line each. A removal itself does not tell: the kit passes over a name that it does not find.
present() {
    local kind listed
    for kind in agents tools connections; do
        listed=$(orchestrate "$kind" list --verbose) || fail "'orchestrate $kind list' failed: $listed"
        python3 -c "$names" "$kind" <<<"$listed" || fail "'orchestrate $kind list --verbose' gave no list: $listed"
    done
}

remove() { # its failure is seen by what is left
    case $1 in
    agents) orchestrate agents remove --name "$2" --kind native || true ;;
    tools) orchestrate tools remove --name "$2" || true ;;
    connections) orchestrate connections remove --app-id "$2" || true ;;
    esac
}

before=$(present)
for item in "${items[@]}"; do
    # shellcheck disable=SC2086 (kind and name)
    if grep -Fxq "$item" <<<"$before"; then remove $item; fi
done
after=$(present)

left=0
for item in "${items[@]}"; do
    if grep -Fxq "$item" <<<"$after"; then
        echo "still there: $item"
        left=$((left + 1))
    elif grep -Fxq "$item" <<<"$before"; then
        echo "removed:     $item"
    else
        echo "not there:   $item"
    fi
done
((left == 0)) || fail "$left of ${#items[@]} are still there: see above"
echo "done: none of the ${#items[@]} is left"
