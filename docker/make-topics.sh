#!/bin/sh
# Makes the topics of kafka/topics.json at the broker of docker-compose.yml, one replica each; what
# is there stays. Until then the projector waits and says so.
set -eu
for topic in kcm.events.v1:12 kcm.events.v1.dlq:1 kcm.revocations.v1:6 kcm.revocations.v1.dlq:1; do
  docker compose exec -T kafka /opt/kafka/bin/kafka-topics.sh --bootstrap-server 127.0.0.1:9092 \
    --create --if-not-exists --topic "${topic%:*}" --partitions "${topic#*:}" --replication-factor 1
done
