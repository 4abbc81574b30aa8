// Anything that a hostile guest may say: logs, numbers, records, chosen by dice.
#include "proto/limits.h"
#include "tests/simulation/guest.h"

namespace fieldpost::tests {

Bytes HostileGuest::any_bytes(std::size_t size) {
    Bytes bytes(size);
    std::ranges::generate(bytes, [&] { return static_cast<std::byte>(dice_()); });
    return bytes;
}

Incarnation HostileGuest::any_incarnation() {
    const auto random = static_cast<std::uint32_t>(dice_());
    switch (any(8)) {
        case 0:
            return {1, random};
        case 1:
            return {static_cast<std::uint16_t>(1 + any(3)), 7};
        case 2:
            return {UINT16_MAX, random};
        case 3:
            return {static_cast<std::uint16_t>(1 + any(UINT16_MAX)), random};
        default:
            return first_life;
    }
}

LogKey HostileGuest::any_log_of(OfficeId author) {
    return {author, author == index_of(guest_) || chance(8) ? any_incarnation() : first_life,
            static_cast<RecordClass>(any(record_classes))};
}

LogKey HostileGuest::any_log() {
    return any_log_of(index_of(guest_));
}

// One run, every second number, or any gaps; from 1, from anywhere, or up to the last number.
IntervalSet HostileGuest::any_numbers(std::size_t runs_max) {
    IntervalSet numbers;
    const auto runs = chance(3) ? 1 : 1 + any(runs_max);
    const Number gap = chance(2) ? 1 : static_cast<Number>(1 + any(chance(2) ? 5 : 50'000));
    std::uint64_t at = chance(2) ? 1 + any(3) : 1 + any(1000);
    if (chance(8)) {
        at = record_number_max - any(200);
    }
    for (std::uint64_t run = 0; run < runs && at <= record_number_max; ++run) {
        const auto last = std::min<std::uint64_t>(at + (gap == 1 ? 0 : any(5)), record_number_max);
        numbers.add({static_cast<Number>(at), static_cast<Number>(last)});
        at = last + 1 + gap;
    }
    return numbers;
}

std::vector<Number> HostileGuest::any_few_numbers() {
    std::vector<Number> few;
    const auto numbers = any_numbers(24);
    for (auto number = numbers.next(1); number && few.size() < 24;
         number = numbers.after(*number)) {
        few.push_back(*number);
    }
    return few;
}

// For the victim, for others, or for nobody; readable or not.
Forgery HostileGuest::any_record(const LogKey& log, Number number) {
    Forgery forgery;
    if (chance(4)) {
        Report report;
        if (chance(3) && !world_.promised().empty()) {
            auto at = world_.promised().begin();
            std::advance(at, static_cast<std::ptrdiff_t>(any(world_.promised().size())));
            report.outcome = ReplyOutcome::accepted;
            report.reply_to = world_.reference_to(at->first);
        }
        forgery = write_as(world_, guest_, chance(2) ? victim_ : any_office(), number, report);
        forgery.header.log = log;  // does not open if this is another log
        forgery.header.log.record_class =
            report.reply_to ? RecordClass::reply : forgery.header.log.record_class;
    } else {
        auto& header = forgery.header;
        header.log = log;
        header.number = number;
        header.count = chance(4) ? static_cast<std::uint8_t>(1 + any(64)) : std::uint8_t{1};
        if (std::uint64_t{number} + header.count - 1 > record_number_max) {
            header.count = 1;
        }
        header.kind = static_cast<std::uint8_t>(chance(3) ? any(256) : any(record_kinds));
        header.flags = static_cast<std::uint8_t>(chance(4) ? any(256) : 0);
        header.created = chance(4) ? WallTime{static_cast<std::uint32_t>(dice_())}
                                   : founded_at.plus(static_cast<std::int64_t>(any(90'000)));
        header.lifetime_seconds = chance(4)
                                      ? static_cast<std::uint32_t>(1 + any(3600))
                                      : static_cast<std::uint32_t>(limits::lifetime_seconds_max);
        std::set<OfficeId> readers;
        for (auto left = 1 + any(3); left > 0; --left) {
            readers.insert(chance(5) ? nobody : index_of(chance(2) ? victim_ : any_office()));
        }
        for (const auto reader : readers) {
            header.stanzas.push_back({reader, static_cast<std::uint16_t>(any(3)), {}});
        }
        if (chance(8)) {
            header.stanzas.push_back({group_base, 0, {}});
            header.group_roster_version = static_cast<std::uint32_t>(any(10));
        }
        forgery.body = any_bytes(tag_bytes + 1 + any(80));
        header.body_bytes = static_cast<std::uint32_t>(forgery.body.size());
    }
    if (chance(8)) {
        std::ranges::generate(forgery.header.prev.bytes,
                              [&] { return static_cast<std::byte>(dice_()); });
    }
    return forgery;
}

}  // namespace fieldpost::tests
