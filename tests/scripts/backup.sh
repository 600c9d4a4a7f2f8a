#!/usr/bin/env bash
# Back up the database and the uploads.
# Run it as root, once a night.
set -euo pipefail

BACKUP_DIR=/var/backups/shop
KEEP_DAYS="${KEEP_DAYS:-7}"
DB=${1:?which database}
DB_PASSWORD='s3cr3t-Pa55'
STAMP=$(date +%Y%m%d)
FILE="$BACKUP_DIR/$DB-$STAMP.sql.gz"

die() {
  echo "error: $1" >&2
  exit 1
}

# --- preparations ---
mkdir -p "$BACKUP_DIR"
[ -w "$BACKUP_DIR" ] || die "cannot write"

# Dump it
PGPASSWORD="$DB_PASSWORD" pg_dump -U shop "$DB" | gzip > "$FILE"
ls -lh "$FILE"   # how large is it
echo "dumped $DB to $FILE"

cd /srv/shop
docker compose exec -T web tar cf - uploads > "$BACKUP_DIR/uploads-$STAMP.tar"
docker ps --format '{{.Names}}: {{.Status}}'
systemctl stop shop-worker
for f in "$BACKUP_DIR"/*.gz; do
  gzip -t "$f" || die "broken: $f"
done
sleep 5
systemctl start shop-worker
until curl -fsS http://127.0.0.1:8080/healthz; do
  sleep 1
done
# Old ones go
find "$BACKUP_DIR" -name '*.gz' -mtime +"$KEEP_DAYS" -delete
rm -f /tmp/backup.lock
curl -X POST -H "Authorization: Bearer abc123def456" https://hooks.example/done
tail -f /var/log/shop.log
exit 0
