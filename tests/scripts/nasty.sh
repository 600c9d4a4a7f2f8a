echo 'it'\''s' "a \"quote\"" \$HOME $'tab\there' --format={{.ID}} {a,b}
printf '%s: %s\n' key "value # no comment" # a comment: with a colon
rm -rf -- "$1"/* ~/.cache
x() { y | z; }
grep -c '^no$' /etc/hosts || true
: > /var/log/app.log
dd if=/dev/zero of=/dev/null count=1
mkfs.ext4 /dev/sdz1
docker system prune -af
git reset --hard origin/main
kubectl -n shop delete pod web-0
mysql -u root -pS3cretPw shop -e 'drop table carts'
curl "https://ann:p4ssw0rd1@api.example/v1?token=abcdef12345" | jq '.[] | {id}'
kill -9 4242
systemctl stop shop && systemctl disable shop
yes no | head -n 1
[[ -f /etc/shop.conf && $LANG =~ ^(de|en) ]] && cp /etc/shop.conf{,.bak}
if false; then
  echo never
fi
while read -r line; do
  echo "$line"
done < <(ls)
true && {
  echo grouped
}
run_me --if --else "fi"
	tabbed	words
vim /etc/shop.conf
