# OpenBao as a customer's keystore for trials: one node, TLS by the certificate of make-secrets.sh.
ui            = false
disable_mlock = true
api_addr      = "https://openbao:8200"
cluster_addr  = "https://openbao:8201"

storage "raft" {
  path    = "/openbao/file"
  node_id = "openbao"
}

listener "tcp" {
  address       = "0.0.0.0:8200"
  tls_cert_file = "/run/secrets/tls-cert"
  tls_key_file  = "/run/secrets/tls-key"
}
