#!/bin/bash
# Roll the shop out to one environment.
#
# Usage: deploy.sh ENVIRONMENT [TAG]
set -eo pipefail

ENVIRONMENT=${1:?the environment, such as staging}
TAG="${2:-latest}"
RED='\033[0;31m'
NC='\033[0m'
SERVICES=(web worker mailer)
export COMPOSE_PROJECT_NAME="shop-$ENVIRONMENT"

cd "$(dirname "$0")/.."
source ./scripts/lib.sh
trap 'rm -f /tmp/deploy.lock' EXIT

# Where it goes
case "$ENVIRONMENT" in
  staging) HOST=stage.example ;;
  production)
    HOST=shop.example
    ;;
  *)
    echo -e "${RED}unknown environment${NC}" >&2
    exit 1
    ;;
esac

announce() {
  local what=$1
  echo "deploy: $what ($TAG)"
}

read -p "Really deploy to production? " ANSWER
if [ "$ANSWER" != yes ]; then
  echo "nothing was done"
  exit 0
fi

announce start
for service in "${SERVICES[@]}"; do
  docker compose pull "$service"
  docker compose up -d "$service"
done

cat > /tmp/release.json <<JSON
{
  "tag": "$TAG",
  "by": "$USER"
}
JSON

cat <<'TEXT'
{{ not a template }} and $no variable
TEXT

ssh "deploy@$HOST" 'sudo systemctl reload nginx'
RUNNING=$(docker compose ps -q | wc -l)
if [ "$RUNNING" -lt 3 ]; then announce "only $RUNNING run"; fi
./scripts/warm-cache.sh &
PID=$!
sleep 0.5
kill -0 $PID
git tag -f "deployed-$(date +%F)"
announce done
