#!/usr/bin/env bash
# Imports everything under wxo/ into the active environment of watsonx Orchestrate, in the order in which one needs the
# other. Can be repeated: what is there is updated. `make wxo-check` tells first what is missing. Guide: docs/wxo.md.
#
#   orchestrate env activate <name>        # once: which WXO instance
#   make wxo-tools                         # once per deployment: writes the tools' two documents
#   API_KEY=… wxo/import-all.sh            # where the stack asks for an API key; for bearer tokens:
#   CLIENT_ID=… CLIENT_SECRET=… TOKEN_URL=https://… SCOPE=… wxo/import-all.sh
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

APP_ID=${APP_ID:-image_jobs}
ENVIRONMENTS=${ENVIRONMENTS:-draft live} # Developer Edition knows draft alone
TYPE=${TYPE:-team}                       # whose credentials: all users' together, or each member's own
DOCUMENTS=(openapi.json agent-tools.json)

fail() {
    echo "import-all: $*" >&2
    exit 1
}

command -v orchestrate >/dev/null || fail "the command 'orchestrate' is missing: make adk && source .venv-adk/bin/activate"
grep -s '^ *active_environment: ' ~/.config/orchestrate/config.yaml | grep -vq ' null$' ||
    fail "no environment is active: orchestrate env activate NAME (orchestrate env add makes one, see docs/wxo.md)"
for document in "${DOCUMENTS[@]}"; do
    [[ -f $document ]] || fail "wxo/$document is missing: make wxo-tools (API_URL=https://… or STACK_FILE=…)"
done
server=$(python3 -c 'import json; print(json.load(open("openapi.json"))["servers"][0]["url"])')
scheme=$(python3 -c 'import json; print(*json.load(open("openapi.json")).get("components", {}).get("securitySchemes", {}))')

case $scheme in
apiKey)
    [[ -n ${API_KEY:-} ]] || fail "openapi.json asks for an API key: set API_KEY (make api-key writes it)"
    configuration=(--server-url "$server" --kind api_key --name x-api-key)
    credentials=(--api-key "$API_KEY")
    ;;
bearer)
    [[ -n ${CLIENT_ID:-} && -n ${CLIENT_SECRET:-} && -n ${TOKEN_URL:-} ]] ||
        fail "openapi.json asks for a bearer token: set CLIENT_ID, CLIENT_SECRET and TOKEN_URL, and SCOPE where one is needed"
    configuration=(--server-url "$server" --kind oauth_auth_client_credentials_flow)
    credentials=(--client-id "$CLIENT_ID" --client-secret "$CLIENT_SECRET" --token-url "$TOKEN_URL" ${SCOPE:+--scope "$SCOPE"})
    ;;
*)
    # The Python tools need the address, which only a connection can give them.
    configuration=(--kind key_value)
    credentials=(--entries "url=$server")
    ;;
esac

echo "== connection $APP_ID"
# It may be there from an earlier import.
orchestrate connections add --app-id "$APP_ID" || true
for environment in $ENVIRONMENTS; do
    orchestrate connections configure --app-id "$APP_ID" --environment "$environment" --type "$TYPE" "${configuration[@]}"
    orchestrate connections set-credentials --app-id "$APP_ID" --environment "$environment" "${credentials[@]}"
done

echo "== tools"
for document in "${DOCUMENTS[@]}"; do
    orchestrate tools import --kind openapi --file "$document" ${scheme:+--app-id "$APP_ID"}
done
orchestrate tools import --kind python --file python_tools/image_base64.py
# The file names its connection image_jobs, whatever that is called here.
orchestrate tools import --kind python --file python_tools/image_files.py --app-id "image_jobs=$APP_ID"

echo "== flows"
for flow in edit_image_and_show edit_image_and_store edit_folder; do
    orchestrate tools import --kind flow --file "flows/$flow.py"
done

echo "== agent"
orchestrate agents import --file agents/image_editor.yaml
echo "done: open the chat and choose the agent 'Image editor'"
