#!/usr/bin/env bash
# Plays headquarters on this machine: six provinces report for a week to two offices of role hq, and both feed one database. Then
# the table, `coverage` and an Excel workbook are compared with what the provinces wrote. Installs what is missing, builds the
# release, and leaves nothing running. Everything it makes is in one temporary folder, which it removes.
#
# The week has passed in about a minute: libfaketime tells the offices another date.
set -euo pipefail
cd "$(dirname "$0")/.."
case ${1:-} in
    --yes) ;;
    '')
        if [ "$(dpkg-query -W -f '${db:Status-Status}' postgresql-15 2> /dev/null || true)" != installed ]; then
            echo "This installs PostgreSQL 15 from Debian. Debian starts a server of its own with it; the demonstration does not use that one."
            read -r -p "Go on? [y/N] " answer || true
            [[ ${answer:-} == [yY]* ]] || { echo "Nothing was installed."; exit 1; }
        fi ;;
    *) echo "usage: deploy/demo-headquarters.sh [--yes]" >&2; exit 2 ;;
esac
./deploy/install.sh run sink build demo
echo "Building fieldpost: some six minutes on two slow cores, once."
cmake --preset release -DBUILD_TESTING=OFF > /dev/null
cmake --build --preset release --target fieldpost fieldpostd fieldpost-sink
bin=$PWD/build/release/bin
. ./deploy/demo-parts.sh
clock=/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1
clock=${clock/x86_64-linux-gnu/$(gcc -print-multiarch)}
days_ago() { # DAYS: what is started from now on takes this for its date
    export LD_PRELOAD=$clock FAKETIME=-${1}d FAKETIME_DONT_FAKE_MONOTONIC=1
}
today() { unset LD_PRELOAD FAKETIME; }
as_today() { env -u LD_PRELOAD -u FAKETIME "$@"; }

# --- a PostgreSQL of its own: no port, a socket in the folder
server=/usr/lib/postgresql/15/bin
mkdir "$work/database"
chmod o+x "$work"
as_user=()
if [ "$(id -u)" -eq 0 ]; then
    chown postgres: "$work/database"
    as_user=(setpriv --reuid postgres --regid postgres --clear-groups)
fi
in_database_folder() { (cd "$work/database" && as_today "${as_user[@]}" "$@"); }
in_database_folder "$server/initdb" -D "$work/database/data" -E UTF8 --locale C.UTF-8 -A trust -U postgres > /dev/null
in_database_folder "$server/pg_ctl" -D "$work/database/data" -w -l "$work/database/log" \
    -o "-c listen_addresses='' -c unix_socket_directories=$work/database" start > /dev/null
end_all() {
    today
    in_database_folder "$server/pg_ctl" -D "$work/database/data" -m immediate stop > /dev/null 2>&1 || true
    clean_up
}
trap end_all EXIT
dsn="postgresql:///postgres?host=$work/database&user=postgres"
query() { as_today psql -qAt -F ' ' "$dsn" -c "$1"; }

provinces="chongjin hamhung hyesan kanggye sinuiju wonsan"
offices="hq hq2 $provinces"

say "Two offices of role hq and six provinces, two weeks ago. Headquarters expects a stock report every day, and a weekly one"
days_ago 15
port=$(free_port); port2=$(free_port)
at hq init hq --network reha --listen "tcp://127.0.0.1:$port" --advertise "tcp://127.0.0.1:$port" > /dev/null 2>&1
expected='
[[expect]]
type = "stock"
from = "@field"
every = "day"

[[expect]]
type = "weekly"
from = "@field"
every = "week"
due = "7d"
period_field = "week"
'
echo "$expected" >> "$work/hq/fieldpost.toml"
start hq
for office in hq2 $provinces; do
    role=field; where=()
    [ "$office" != hq2 ] || { role=hq; where=(--listen "tcp://127.0.0.1:$port2" --advertise "tcp://127.0.0.1:$port2"); }
    code=$(at hq invite "$office" --role $role --output "$work/$office.invite" 2> /dev/null)
    at "$office" join "$work/$office.invite" --code "$code" "${where[@]}" > /dev/null 2>&1
    start "$office"
done
for office in hq2 $provinces; do until_true is_active hq "$office"; until_true is_active hq2 "$office"; done
at hq roster | awk 'NF >= 3 && $3 == "active" {print $1, $2, $3}' | column -t
for office in $offices; do stop "$office"; done

# What stands at the end, by what the provinces wrote: "ID plaster". And which day each of them reported.
declare -A stock reported late
report() { # OFFICE DATE plaster: a stock report; remembers it
    local id
    id=$(at "$1" queue --to @hq --type stock --staff "$1" --field "plaster=$3" --field "place=재활센터 $1" < /dev/null)
    stock[$id]=$3; reported[$1 $2]=$id; last=$id
}

has_withdrawn() { at "$1" list --all-versions --from kanggye --limit 0 | grep -q withdrawn; }

say "A week passes. wonsan has no link for three days; hyesan forgets a day, corrects one report and takes one back"
head -c 200000 /dev/urandom > "$work/plâtre.jpg"
for day in 8 7 6 5 4 3 2 1; do
    days_ago $day
    date=$(date +%F)
    if [ $day -le 4 ] && [ $day -ge 2 ]; then
        start wonsan; report wonsan "$date" $((70 + day)); late[wonsan $date]=1; stop wonsan
        up=${offices/ wonsan/}
    else
        up=$offices
    fi
    for office in $up; do start "$office"; done
    number=0
    for office in $provinces; do
        number=$((number + 10))
        [[ " $up " == *" $office "* ]] || continue
        [ "$office $day" != "hyesan 6" ] || continue
        report "$office" "$date" $((number + day))
        if [ "$office $day" = "hyesan 5" ]; then wrong=$last; wrong_date=$date; fi
        if [ "$office $day" = "kanggye 3" ]; then back=$last; back_date=$date; fi
    done
    if [ $day = 4 ]; then
        right=$(at hyesan queue --type stock --staff hyesan --replaces "$wrong" --field plaster=500 --field "place=재활센터 hyesan" < /dev/null)
        unset "stock[$wrong]"; stock[$right]=500; reported[hyesan $wrong_date]=$right
    fi
    if [ $day = 1 ]; then
        week=$(date -d "7 days ago + 1 day" +%G-W%V)
        for office in chongjin hamhung hyesan kanggye; do
            at "$office" queue --to @hq --type weekly --staff "$office" --field "week=$week" --attach "$work/plâtre.jpg" \
                --text "주간 보고. La semaine: tout va bien." > "$work/$office.weekly"
        done
    fi
    for office in $up; do until_true counts "$office" "connected"; done
    for office in $provinces; do
        [[ " $up " == *" $office "* ]] || continue
        ids=$(at "$office" list --outbox --state queued --limit 0 --json | tr ',' '\n' | sed -n 's/.*"id":"\([^"]*\)".*/\1/p')
        [ -z "$ids" ] || at "$office" wait $ids --for delivered --timeout 60s > /dev/null
    done
    if [ $day = 2 ]; then
        at kanggye withdraw "$back" --reason "다른 날의 숫자입니다" > /dev/null
        unset "stock[$back]" "reported[kanggye $back_date]"
        at hq ack "${reported[sinuiju $date]}" --outcome refused --staff 박철수 --note "단위가 틀립니다" > /dev/null
        at hq2 ack "${reported[hamhung $date]}" --staff "Anne Morel" --note "Reçu" > /dev/null
        for hq in hq hq2; do until_true has_withdrawn $hq; done
    fi
    for hq in hq hq2; do
        "$bin/fieldpost-sink" "$dsn" --home "$work/$hq" --attachments "$work/attachments" --quiet
    done
    printf '%s: %s reports are in the database\n' "$date" "$(query 'SELECT count(*) FROM report')"
    for office in $up; do stop "$office"; done
done
today
start hq; start hq2

say "Who owes a report?"
typed hq coverage
say "The same in the database: by province, with what counts and what was corrected, withdrawn or refused"
as_today psql -q "$dsn" -c "SELECT office, count(*) AS reports, count(replaced_by) AS corrected, count(withdrawn_at) AS withdrawn,
    (SELECT count(*) FROM answer JOIN report AS r USING (hash) WHERE r.office = report.office AND answer.outcome = 'refused') AS refused
    FROM report WHERE office <> 'hq' GROUP BY office ORDER BY office"
typed hq export --format xlsx --output "$work/reports.xlsx"

say "Table, coverage and workbook, against what the provinces wrote"
for id in "${!stock[@]}"; do echo "$id ${stock[$id]}"; done | sort > "$work/wrote"
query "SELECT id, plaster FROM form_stock JOIN report_current USING (id) ORDER BY 1" | sort > "$work/table"
/usr/bin/python3 - "$work/reports.xlsx" <<'P' | sort > "$work/sheet"
import openpyxl, sys
rows = openpyxl.load_workbook(sys.argv[1], read_only=True)["stock"].iter_rows(values_only=True)
names = next(rows)
for row in rows:
    print(row[names.index("id")], row[names.index("plaster")])
P
for key in "${!reported[@]}"; do echo "$key ${reported[$key]} ${late[$key]+late}"; done > "$work/reported"
at hq coverage --json > "$work/coverage.json"
/usr/bin/python3 - "$work/coverage.json" "$work/reported" "$week" <<'P'
import json, sys
reported = {tuple(line.split()[:2]): line.split()[2:] for line in open(sys.argv[2])}
wrong = 0
for cell in json.load(open(sys.argv[1])):
    mine = reported.get((cell["office"], cell["period"]))
    if cell["type"] == "stock":
        expected = ["here", "late"][len(mine) - 1] if mine else "nothing"
        ids = mine[:1] if mine else []
    elif cell["period"] == sys.argv[3]:
        is_there = cell["office"] not in ("sinuiju", "wonsan")
        expected, ids = ("here", cell["ids"]) if is_there else ("open", [])
    else:
        continue
    if not mine and cell["state"] == "open" and cell["type"] == "stock":
        continue  # today
    if (cell["state"], cell["ids"]) != (expected, ids):
        print("coverage:", cell, "and not", expected, ids)
        wrong += 1
sys.exit(wrong != 0)
P
diff "$work/wrote" "$work/table" && diff "$work/wrote" "$work/sheet"
echo "All three say what the provinces wrote: $(wc -l < "$work/wrote") stock reports that stand."
query "SELECT 'The photograph: ' || count(*) || ' reports have it, with ' || count(DISTINCT sha256) || ' content.' FROM attachment"
echo
echo "Nothing is left running. To set up your own: deploy/headquarters.md."
