# Says something every second: the words of /words, which change while it runs.
echo "begun with $(cat /requirements.txt)"
while true; do
  echo "$(cat /words/greeting), $NAME"
  sleep 1
done
