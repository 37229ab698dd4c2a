#!/bin/sh
# Makes the secrets that compose.yaml names, each in a file below the folder that is given (or `secrets`
# beside this script), with random passwords. What is there already stays.
#
# The folder is closed to everybody else; the files in it are open, because those who read them in their
# containers are not who made them here.
set -eu
umask 077

folder=${1:-$(dirname "$0")/secrets}
mkdir -p "$folder"

random() {
    od -An -N32 -tx1 /dev/urandom | tr -d ' \n'
}

keep() { # name, text
    if [ ! -e "$folder/$1" ]; then
        printf '%s\n' "$2" > "$folder/$1.new"
        chmod 0444 "$folder/$1.new"
        mv "$folder/$1.new" "$folder/$1"
    fi
}

password() { # name
    cat "$folder/$1"
}

for name in database_superuser_password database_owner_password database_api_password database_ingestor_password \
    dashboards_database_password nats_api_password nats_ingestor_password nats_gate_password nats_admin_password \
    grafana_admin_password; do
    keep "$name" "$(random)"
done

database() { # login, name of its password
    echo "postgres://$1:$(password "$2")@postgres:5432/tollkeeper"
}
keep database_url_owner "$(database tollkeeper_owner database_owner_password)"
keep database_url_api "$(database api database_api_password)"
keep database_url_ingestor "$(database ingestor database_ingestor_password)"

keep nats_passwords.conf "API_PASSWORD: \"$(password nats_api_password)\"
INGESTOR_PASSWORD: \"$(password nats_ingestor_password)\"
GATE_PASSWORD: \"$(password nats_gate_password)\"
ADMIN_PASSWORD: \"$(password nats_admin_password)\""
# The file of an earlier version lacks the user that came later, and the broker would not start with it.
if ! grep -q '^GATE_PASSWORD:' "$folder/nats_passwords.conf"; then
    {
        cat "$folder/nats_passwords.conf"
        printf 'GATE_PASSWORD: "%s"\n' "$(password nats_gate_password)"
    } > "$folder/nats_passwords.conf.new"
    chmod 0444 "$folder/nats_passwords.conf.new"
    mv "$folder/nats_passwords.conf.new" "$folder/nats_passwords.conf"
fi
keep nats_url_api "nats://tollkeeper-api:$(password nats_api_password)@nats:4222"
keep nats_url_ingestor "nats://tollkeeper-ingestor:$(password nats_ingestor_password)@nats:4222"
keep nats_url_admin "nats://tollkeeper-admin:$(password nats_admin_password)@nats:4222"

keep operator_key "operator:$(random)"
keep seal_keys "first:$(head -c 32 /dev/urandom | base64)"
