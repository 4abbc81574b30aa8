#include "tests/simulation/guest.h"

#include <fmt/format.h>

#include "proto/limits.h"
#include "proto/link_message.h"

namespace fieldpost::tests {

namespace {

constexpr std::size_t entries_bytes_max = 50'000;
constexpr std::size_t loot_max = 100;

}  // namespace

std::string_view name_of(Act act) {
    constexpr std::array<std::string_view, all_acts.size()> names = {
        "records",    "lives",   "broken",      "forks",      "statements", "receipts",
        "false_tops", "custody", "registers",   "summaries",  "flood",      "carry",
        "noise",      "streams", "half_bodies", "bad_bodies", "crawl",      "fill"};
    return names.at(static_cast<std::size_t>(act));
}

HostileGuest::HostileGuest(World& world, Node guest, std::uint64_t seed, std::optional<Node> second)
    : world_(world), guest_(guest), second_(second), dice_(seed) {
    world_.take_over(guest);
    if (second) {
        world_.take_over(*second);
    }
}

void HostileGuest::act(std::span<const Act> acts) {
    std::vector<Node> victims;
    for (Node node = 0; node < world_.size(); ++node) {
        if (world_.is_up(node)) {
            victims.push_back(node);
        }
    }
    if (!victims.empty()) {
        act(acts[any(acts.size())], victims[any(victims.size())]);
    }
}

void HostileGuest::act(Act act, Node victim) {
    history_ += fmt::format(" {}>{}", name_of(act), victim);
    INFO("the guest: " << history_);
    victim_ = victim;
    crawl_on();
    if (!world_.is_up(victim)) {
        return;
    }
    const auto frames = frames_for(act);
    if (!world_.is_up(victim)) {
        return;
    }
    if (chance(6)) {
        world_.read_bundle(victim, stick_with(world_, frames));
        return;
    }
    if (std::ranges::find(body_acts, act) != body_acts.end() && chance(2)) {
        say_all(frames);
        return;
    }
    std::vector<Bytes> messages;
    if (!chance(8)) {
        messages.push_back(encode_frame(hello()));
    }
    for (const auto& frame : frames) {
        messages.push_back(encode_frame(frame));
    }
    if (act == Act::noise) {
        for (auto left = any(4); left > 0; --left) {
            messages.push_back(any_bytes(1 + any(200)));
        }
        auto& cut_off = messages[any(messages.size())];
        cut_off.resize(any(cut_off.size() + 1));
    }
    for (const auto& answer : world_.talk(victim, guest_, messages)) {
        const auto heard = frames_of(answer).value();
        for (const auto bytes : heard) {
            auto frame = decode_frame(bytes).value();
            const bool is_worth_it = std::holds_alternative<RecordNews>(frame) ||
                                     std::holds_alternative<RegisterNews>(frame) ||
                                     std::holds_alternative<fieldpost::Custody>(frame);
            if (is_worth_it && loot_.size() < loot_max) {
                loot_.push_back(std::move(frame));
            }
        }
    }
}

std::vector<Frame> HostileGuest::frames_for(Act act) {
    switch (act) {
        case Act::records:
            return records();
        case Act::lives:
            return lives();
        case Act::broken:
            return broken();
        case Act::forks:
            return forks();
        case Act::statements:
            return statements();
        case Act::receipts:
            return receipts(false);
        case Act::false_tops:
            return receipts(true);
        case Act::custody:
            return custody();
        case Act::registers:
            return registers();
        case Act::summaries:
            return summaries();
        case Act::flood:
            return flood();
        case Act::carry:
            return carry();
        case Act::noise:
            return noise();
        case Act::streams:
            return streams();
        case Act::half_bodies:
            return half_bodies();
        case Act::bad_bodies:
            return bad_bodies();
        case Act::crawl:
            begin_to_crawl();
            return {};
        case Act::fill:
            return fill();
    }
    return {};
}

std::vector<Frame> HostileGuest::news_of(const std::vector<Forgery>& forgeries) {
    std::vector<Frame> frames;
    RecordNews news;
    std::optional<Neighbour> before;
    std::size_t size = 0;
    for (const auto& forgery : forgeries) {
        auto entry = entry_signed_by(world_, guest_, forgery, before);
        if (size + entry.size() > entries_bytes_max) {
            frames.emplace_back(std::exchange(news, {}));
            size = 0;
            before.reset();
            entry = entry_signed_by(world_, guest_, forgery, before);
        }
        size += entry.size();
        news.records.push_back(std::move(entry));
    }
    frames.emplace_back(std::move(news));
    std::ranges::copy(frames, std::back_inserter(said_));
    return frames;
}

std::vector<Frame> HostileGuest::records() {
    if (!said_.empty() && chance(4)) {
        return {said_[any(said_.size())]};  // once more, or to somebody else
    }
    std::vector<Forgery> forgeries;
    const auto log = any_log();
    for (const auto number : any_few_numbers()) {
        forgeries.push_back(any_record(log, number));
    }
    return news_of(forgeries);
}

std::vector<Frame> HostileGuest::lives() {
    std::vector<Forgery> forgeries;
    for (auto left = 1 + any(40); left > 0; --left) {
        const auto number = chance(4) ? static_cast<Number>(record_number_max) : Number{1};
        forgeries.push_back(any_record(any_log(), number));
    }
    return news_of(forgeries);
}

// The victim refuses all of it, or carries all of it; each is a run of its own.
std::vector<Frame> HostileGuest::flood() {
    Forgery one;
    auto& header = one.header;
    header.log = {index_of(guest_), first_life, RecordClass::normal};
    header.created = founded_at.plus(60);
    header.lifetime_seconds = limits::lifetime_seconds_max;
    const bool is_refused = chance(2);
    header.kind = is_refused ? record_kinds : 0;
    header.stanzas = {{is_refused ? index_of(victim_) : nobody, 1, {}}};
    one.body = any_bytes(tag_bytes + 1);
    header.body_bytes = tag_bytes + 1;
    std::vector<Forgery> forgeries;
    for (auto left = limits::log_runs_max + 1 + any(100); left > 0; --left) {
        flooded_ += 2;
        header.number = flooded_;
        forgeries.push_back(one);
    }
    if (chance(4)) {
        std::ranges::reverse(forgeries);
    }
    return news_of(forgeries);
}

std::vector<Frame> HostileGuest::broken() {
    std::vector<Frame> frames;
    for (const auto number : any_few_numbers()) {
        auto forgery = any_record(any_log(), number);
        auto& header = forgery.header;
        switch (any(9)) {
            case 0:
                header.lifetime_seconds = 0;
                break;
            case 1:
                header.lifetime_seconds = UINT32_MAX;
                break;
            case 2:
                header.log.incarnation = {};
                break;
            case 3:
                header.number = chance(2) ? 0 : UINT32_MAX;
                break;
            case 4:
                header.count = static_cast<std::uint8_t>(chance(2) ? 0 : 65 + any(190));
                break;
            case 5:
                header.number = record_number_max;
                header.count = static_cast<std::uint8_t>(2 + any(62));
                break;
            case 6:
                header.stanzas.push_back(header.stanzas.front());
                break;
            case 7:
                header.extension = any_bytes(1 + any(40));
                break;
            default:
                header.body_bytes += static_cast<std::uint32_t>(any(100));
        }
        frames.emplace_back(signed_by(world_, guest_, forgery));
    }
    return frames;
}

std::vector<Frame> HostileGuest::forks() {
    std::vector<Frame> frames;
    RegisterNews proofs;
    for (auto left = 1 + any(4); left > 0; --left) {
        const auto log = any_log();
        const auto number = static_cast<Number>(1 + any(40));
        const auto one = any_record(log, number);
        auto other = any_record(log, number);
        other.header.log = one.header.log;
        if (!chance(3)) {
            frames.emplace_back(signed_by(world_, guest_, chance(2) ? one : other));
        }
        if (chance(2)) {
            proofs.registers.push_back(crypto::make_fork(world_.network().id(),
                                                         proof_of(world_, guest_, one),
                                                         proof_of(world_, guest_, other)));
        }
    }
    if (!proofs.registers.empty()) {
        frames.emplace_back(std::move(proofs));
    }
    return frames;
}

Register HostileGuest::signed_register(RegisterKind kind, Bytes subject, Bytes payload) {
    Register entry;
    entry.key = {index_of(guest_), static_cast<std::uint8_t>(kind), std::move(subject)};
    // Sometimes it has already signed another register with that version.
    entry.version = {chance(10) ? any_incarnation() : first_life,
                     chance(6) ? counter_ : ++counter_};
    entry.at = founded_at.plus(static_cast<std::int64_t>(any(90'000)));
    entry.payload = std::move(payload);
    crypto::sign_register(world_.keys(guest_).machine.identity, world_.network().id(), entry);
    return entry;
}

std::vector<Frame> HostileGuest::statements() {
    OfficeStatement statement;
    const auto& keys = world_.keys(guest_);
    for (const auto& [epoch, pair] : keys.mail.prekeys) {
        statement.prekeys.push_back(crypto::sign_prekey(keys.mail.signing, world_.network().id(),
                                                        keys.index, epoch, pair.public_key));
    }
    statement.carries = !chance(4);
    std::map<std::pair<Incarnation, RecordClass>, OwnLog> logs;
    const auto wanted = chance(3) ? 1 : 1 + any(limits::logs_per_office_max);
    for (auto left = wanted; left > 0; --left) {
        const auto log = any_log();
        auto& own = logs[{log.incarnation, log.record_class}];
        own.incarnation = log.incarnation;
        own.record_class = log.record_class;
        own.tip = static_cast<Number>(dice_());
        own.done = any_numbers(wanted == 1 ? 1500 : 1500 / wanted);
    }
    for (auto& [key, own] : logs) {
        statement.logs.push_back(std::move(own));
    }
    auto payload = encode_office_statement(statement);
    while (payload.size() > limits::register_bytes_max - 128) {
        statement.logs.pop_back();
        payload = encode_office_statement(statement);
    }
    return {RegisterNews{{signed_register(RegisterKind::office, {}, std::move(payload))}}};
}

std::vector<Frame> HostileGuest::receipts(bool is_top_false) {
    RegisterNews news;
    for (auto left = 1 + any(4); left > 0; --left) {
        const auto author = any_office();
        Receipt receipt;
        for (std::uint8_t record_class = 0; record_class < record_classes; ++record_class) {
            ReceiptLog entry;
            entry.incarnation = first_life;
            entry.record_class = static_cast<RecordClass>(record_class);
            const LogKey log{index_of(author), entry.incarnation, entry.record_class};
            const auto* state = world_.is_up(author) ? &world_.ledger(author).log(log) : nullptr;
            const auto top = state == nullptr ? Number{0} : state->published;
            const auto numbers = any_numbers(30);
            switch (any(5)) {
                case 0:
                    break;
                case 1:
                    entry.unreadable = numbers;
                    break;
                case 2:
                    entry.refused[static_cast<std::uint8_t>(1 + any(9))] = numbers;
                    break;
                default:
                    if (top > 0) {
                        entry.received =
                            chance(2) ? IntervalSet{{1, top}} : IntervalSet{{top, top}};
                        entry.tops = crypto::hash_of_tops(world_.network().id(),
                                                          {short_hash(state->published_id)});
                    }
            }
            if (is_top_false) {
                entry = {.incarnation = first_life,
                         .record_class = entry.record_class,
                         .tops = {},
                         .received = numbers,
                         .unreadable = {},
                         .refused = {}};
            }
            receipt.logs.push_back(std::move(entry));
        }
        news.registers.push_back(signed_register(
            RegisterKind::receipt, receipt_subject(index_of(author)), encode_receipt(receipt)));
    }
    return {news};
}

std::vector<Frame> HostileGuest::custody() {
    std::vector<Frame> frames;
    for (auto left = 1 + any(6); left > 0; --left) {
        fieldpost::Custody custody;
        custody.signer = index_of(guest_);
        custody.version = {first_life, counter_++};
        custody.author = index_of(chance(8) ? any_office() : victim_);
        custody.at = founded_at.plus(static_cast<std::int64_t>(any(90'000)));
        for (std::uint8_t record_class = 0; record_class < record_classes; ++record_class) {
            const LogKey log{custody.author, first_life, static_cast<RecordClass>(record_class)};
            const auto& state = world_.ledger(victim_).log(log);
            if (state.published > 0 && !chance(4)) {
                const auto top = state.published;
                custody.logs.push_back(
                    {first_life, log.record_class,
                     crypto::hash_of_tops(world_.network().id(), {short_hash(state.published_id)}),
                     chance(2) ? IntervalSet{{1, top}} : IntervalSet{{top, top}}});
            }
        }
        crypto::sign_custody(world_.keys(guest_).machine.identity, world_.network().id(), custody);
        frames.emplace_back(std::move(custody));
    }
    return frames;
}

std::vector<Frame> HostileGuest::registers() {
    RegisterNews news;
    for (auto left = 1 + any(20); left > 0; --left) {
        news.registers.push_back(signed_register(static_cast<RegisterKind>(6 + any(250)),
                                                 any_bytes(any(limits::register_subject_bytes_max)),
                                                 any_bytes(any(100))));
    }
    return {news};
}

std::vector<Frame> HostileGuest::summaries() {
    std::vector<Frame> frames;
    for (auto left = 1 + any(3); left > 0; --left) {
        Summary summary;
        summary.whole = chance(2);
        for (Node node = 0; node < world_.size(); ++node) {
            if (chance(2)) {
                continue;
            }
            LeafSummary leaf;
            leaf.office = index_of(node);
            std::map<LogKey, LogSummary> logs;
            for (auto more = any(chance(2) ? 4 : limits::logs_per_office_max + 2); more > 0;
                 --more) {
                const auto log = any_log_of(leaf.office);
                LogSummary told{log.incarnation, log.record_class, any_numbers(200), {}};
                if (chance(10)) {
                    told.not_wanted = any_numbers(3000);
                }
                if (chance(4)) {
                    told.not_wanted.add({static_cast<Number>(1 + any(100)), UINT32_MAX});
                }
                for (auto partials = any(3); chance(4) && partials > 0; --partials) {
                    PartialSummary partial;
                    partial.number = static_cast<Number>(dice_());
                    partial.checked = any_numbers(20);
                    partial.prefix_part = static_cast<std::uint32_t>(any(9));
                    partial.prefix_bytes = static_cast<std::uint32_t>(any(9000));
                    told.partials.push_back(partial);
                }
                logs[log] = std::move(told);
            }
            for (auto& [key, told] : logs) {
                leaf.logs.push_back(std::move(told));
            }
            for (auto more = any(4); more > 0; --more) {
                leaf.registers.push_back({static_cast<std::uint8_t>(more),
                                          any_bytes(any(5)),
                                          {any_incarnation(), any(1U << 20)},
                                          {}});
            }
            summary.leaves.push_back(std::move(leaf));
        }
        summary.more = !summary.whole && chance(4);
        while (encode_frame(summary).size() > limits::control_frame_bytes_max) {
            summary.leaves.pop_back();
        }
        frames.emplace_back(std::move(summary));
    }
    return frames;
}

std::vector<Frame> HostileGuest::carry() {
    std::vector<Frame> frames;
    if (loot_.empty() || chance(3)) {
        // A peer that claims to lack everything is brought everything.
        frames.emplace_back(Summary{true, {}});
        return frames;
    }
    for (auto left = 1 + any(5); left > 0; --left) {
        auto frame = loot_[any(loot_.size())];
        if (auto* news = std::get_if<RecordNews>(&frame); news != nullptr && chance(2)) {
            auto& entry = news->records[any(news->records.size())];
            if (chance(2)) {
                entry.resize(any(entry.size()));
            } else {
                entry[any(entry.size())] ^= static_cast<std::byte>(1 + any(255));
            }
        }
        if (auto* news = std::get_if<RegisterNews>(&frame);
            news != nullptr && chance(2) && !news->registers.empty()) {
            auto& entry = news->registers[any(news->registers.size())];
            if (!entry.payload.empty() && chance(2)) {
                entry.payload[any(entry.payload.size())] ^= static_cast<std::byte>(1 + any(255));
            } else {
                entry.version.counter += any(1000);
            }
        }
        frames.push_back(std::move(frame));
    }
    return frames;
}

std::vector<Frame> HostileGuest::noise() {
    std::vector<Frame> frames;
    for (auto left = 1 + any(8); left > 0; --left) {
        switch (any(8)) {
            case 0:
                frames.emplace_back(
                    Skip{static_cast<std::uint32_t>(any(5)), static_cast<SkipReason>(any(5))});
                break;
            case 1:
                frames.emplace_back(Acknowledged{dice_()});
                break;
            case 2:
                frames.emplace_back(Settled{});
                break;
            case 3:
                frames.emplace_back(
                    Prove{any_log_of(any_author()), static_cast<Number>(1 + any(50))});
                break;
            case 4:
                frames.emplace_back(proof_of(world_, guest_, any_record(any_log(), 1)));
                break;
            case 5:
                frames.emplace_back(
                    LeafFingerprints{dice_(), std::vector<ShortFingerprint>(any(9))});
                break;
            case 6:
                frames.emplace_back(hello());
                break;
            default:
                frames.emplace_back(Chunk{static_cast<std::uint32_t>(any(5)),
                                          static_cast<std::uint32_t>(1 + any(5)), 0,
                                          any_bytes(1 + any(100))});
        }
    }
    return frames;
}

// It has the roster, or claims a newer one. Its clock is wrong by any amount.
Hello HostileGuest::hello() {
    const auto& roster = world_.network().roster;
    Hello hello;
    hello.roster_version = chance(8) ? static_cast<std::uint32_t>(dice_()) : roster.version();
    hello.roster_head = short_hash(roster.head());
    std::ranges::generate(hello.digest.bytes, [&] { return static_cast<std::byte>(dice_()); });
    hello.fingerprint_number = static_cast<std::uint32_t>(any(chance(8) ? 100'000 : 3));
    if (chance(2)) {
        hello.leaf_fingerprints.resize(any(6));
    }
    hello.credit_bytes = static_cast<std::uint32_t>(chance(8) ? any(2000) : 1U << 20);
    hello.clock = chance(4) ? WallTime{static_cast<std::uint32_t>(dice_())}
                            : founded_at.plus(3600 + world_.time() / std::chrono::seconds{1});
    hello.carries = !chance(4);
    hello.life = static_cast<std::uint32_t>(any(4));
    hello.is_doubled = chance(8);
    return hello;
}

}  // namespace fieldpost::tests
