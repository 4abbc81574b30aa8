#!/usr/bin/env bash
# Plays fieldpost's main job on this machine: three offices that are never all online. Installs what is missing, builds the
# release, and leaves nothing running. Everything it makes is in one temporary folder, which it removes.
set -euo pipefail
cd "$(dirname "$0")/.."
./deploy/install.sh run build
echo "Building fieldpost: some five minutes on two slow cores, once."
cmake --preset release -DBUILD_TESTING=OFF > /dev/null
cmake --build --preset release --target fieldpost fieldpostd
bin=$PWD/build/release/bin
. ./deploy/demo-parts.sh

say "A network: hq founds it, pyongyang (a relay) and hyesan (a field office) join with a file and a code told by voice"
hq_port=$(free_port); relay_port=$(free_port)
at hq init hq --network reha --listen "tcp://127.0.0.1:$hq_port" --advertise "tcp://127.0.0.1:$hq_port" 2> /dev/null
start hq
code=$(at hq invite pyongyang --role relay --output "$work/pyongyang.invite" 2> /dev/null)
at pyongyang join "$work/pyongyang.invite" --code "$code" \
    --listen "tcp://127.0.0.1:$relay_port" --advertise "tcp://127.0.0.1:$relay_port" > /dev/null 2>&1
start pyongyang
until_true is_active hq pyongyang
code=$(at hq invite hyesan --output "$work/hyesan.invite" 2> /dev/null)
at hyesan join "$work/hyesan.invite" --code "$code" > /dev/null 2>&1
typed hq roster
stop hq; stop pyongyang

say "hyesan is alone: no link, and hq has not even admitted it yet. Staff queue forty reports all the same"
start hyesan
head -c 300000 /dev/urandom > "$work/의지 장착 사진.jpg"
: > "$work/empty.txt"
typed hyesan queue --to hq --staff 김은희 --priority urgent --subject "긴급: 석고 재고 없음" <<< "석고가 떨어졌습니다. 의지 제작이 멈췄습니다. 다음 차편에 보내 주십시오."
typed hyesan queue --to hq --staff 김은희 --subject "의지 장착 사진" --attach "$work/의지 장착 사진.jpg" --attach "$work/empty.txt" <<< "어제 장착한 의지 두 건의 사진입니다. 동의서는 여기 보관합니다."
for week in $(seq 1 10); do
    at hyesan queue --to hq --staff 김은희 --subject "주간 보고 ${week}주" <<< "${week}주: 물리치료 $((20 + week))명, 의지 장착 $((week % 4))건, 휠체어 수리 $((week % 3))건. 전기는 하루 네 시간 들어옵니다."
    at hyesan queue --to hq --staff 王芳 --subject "第${week}周报告" <<< "第${week}周：康复中心接待 $((30 + week)) 人，其中儿童 $((week + 3)) 人；拐杖还剩 $((40 - week)) 副。"
    at hyesan queue --to hq --staff "Anne Morel" --subject "Semaine $week" <<< "Semaine $week : $((12 + week)) séances de kinésithérapie, $((week % 5)) plâtres posés ; le stock de résine suffira encore $((30 - week)) jours."
    [ "$week" -gt 8 ] || at hyesan queue --to hq --staff "Anne Morel" --subject "Week $week" <<< "Week $week: the borehole gives $((200 + week)) litres an hour; the generator ran $((week + 2)) hours; $week new patients were registered."
done | tail -n 1
typed hyesan status

say "The relay comes by. hyesan asks through it to be admitted"
start pyongyang
until_true counts hyesan "1 connected"
sleep 1
# Nobody knows hyesan yet: its request has to reach hq first.
stop hyesan
start hq
until_true is_active hq hyesan
until_true is_active pyongyang hyesan
stop hq
say "hq admitted hyesan, and is gone again. hyesan and the relay meet"
start hyesan
until_true counts hyesan "40 carried"
typed hyesan status
typed pyongyang show hyesan-u1
stop hyesan

say "Later the relay meets hq, which reads, saves and answers"
start hq
until_true counts hq "40 to acknowledge"
typed hq list --limit 6
mkdir "$work/saved"
photo=$(at hq list --limit 0 | grep "의지 장착 사진" | cut -d' ' -f1)
typed hq show "$photo" --save "$work/saved"
cmp "$work/saved/의지 장착 사진.jpg" "$work/의지 장착 사진.jpg" && echo "The photograph is the same, byte for byte."
typed hq ack hyesan-u1 --staff 박철수 --note "석고 40kg, 화요일 차편"
typed hq ack "$photo" --staff 박철수 --note "접수함"
sleep 2
stop hq

say "The relay meets hyesan again"
start hyesan
until_true counts hyesan "2 acknowledged"
typed hyesan status
say "Then no link comes any more. A driver takes a stick to hq, and back"
stop pyongyang
mkdir "$work/stick"
last=$(at hyesan queue --to hq --staff 王芳 <<< "第11周：路断了，司机带着这个U盘。")
typed hyesan bundle sync "$work/stick"
stop hyesan; start hq
typed hq bundle sync "$work/stick"
stop hq; start hyesan
typed hyesan bundle sync "$work/stick"
typed hyesan trace "$last"
say "Where is the urgent one?"
typed hyesan trace hyesan-u1
echo
echo "Nothing is left running. To type it yourself: \"Try it\" in README.md."
