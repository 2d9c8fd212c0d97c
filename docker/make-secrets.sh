#!/bin/sh
# Makes the secrets that docker-compose.yml names, in ./secrets or in the folder given; what is there
# stays. The folder is its owner's alone; the files are readable, for each container's own user.
set -eu
folder=${1:-secrets}
mkdir -p "$folder"
chmod 700 "$folder"
cd "$folder"
umask 022
[ -f operator-token ] || openssl rand -base64 48 | tr -d '\n' | tr '+/' '-_' > operator-token
[ -f mongodb-password ] || openssl rand -hex 32 | tr -d '\n' > mongodb-password
[ -f mongodb-url ] ||
  printf 'mongodb://kcm:%s@mongodb:27017/kcm?authSource=admin' "$(cat mongodb-password)" > mongodb-url
[ -f tls-cert.pem ] || {
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 365 \
    -subj /CN=openkcm -keyout tls-key.pem -out tls-cert.pem \
    -addext 'subjectAltName=DNS:localhost,DNS:cmk,DNS:core,DNS:projector,DNS:openbao,IP:127.0.0.1'
  chmod 644 tls-key.pem
}
