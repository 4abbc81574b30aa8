#include "daemon/engine/membership/own_statement.h"

#include "crypto/register_seal.h"
#include "daemon/engine/membership/groups.h"
#include "proto/limits.h"

namespace fieldpost::engine {

namespace {

constexpr std::int64_t statement_renewal_seconds = 86400;
// The own register's other fields and signature stay well below this.
constexpr std::size_t statement_bytes_max = limits::register_bytes_max - 128;
// Numbers that were taken back stay in the statement for good. So they get a part of it only.
constexpr std::size_t withdrawn_bytes_max = limits::register_bytes_max / 4;

std::size_t size_of(const IntervalSet& numbers) {
    ByteWriter out;
    write(out, numbers);
    return out.bytes().size();
}

// Drops the lowest numbers from *withdrawn* until it fits. Their withdrawals have been on their way
// for longest.
void fit_withdrawn(OfficeStatement& statement) {
    const auto largest = [&] {
        return std::ranges::max_element(statement.logs, {},
                                        [](const OwnLog& log) { return size_of(log.withdrawn); });
    };
    const auto is_large = [&] {
        std::size_t bytes = 0;
        for (const auto& log : statement.logs) {
            bytes += size_of(log.withdrawn);
        }
        return bytes > withdrawn_bytes_max;
    };
    while (is_large()) {
        auto& withdrawn = largest()->withdrawn;
        withdrawn = without(withdrawn, lower_half(withdrawn));
    }
}

const OwnLog* entry_of(const OfficeStatement& statement, const LogKey& log) {
    const auto found = std::ranges::find_if(statement.logs, [&](const OwnLog& one) {
        return one.incarnation == log.incarnation && one.record_class == log.record_class;
    });
    return found == statement.logs.end() ? nullptr : &*found;
}

bool has_more_withdrawn(const OfficeStatement& statement, const OfficeStatement& old) {
    return std::ranges::any_of(statement.logs, [&](const OwnLog& log) {
        const auto* before = entry_of(old, {{}, log.incarnation, log.record_class});
        return before == nullptr ? !log.withdrawn.empty()
                                 : !without(log.withdrawn, before->withdrawn).empty();
    });
}

// Drops numbers of `done` until the statement fits: the highest first, and of the least urgent
// class first. They are told later. By then the low numbers have become one run and there is room.
void fit(OfficeStatement& statement) {
    constexpr std::array<RecordClass, record_classes> least_urgent_first = {
        RecordClass::bulk, RecordClass::normal, RecordClass::reply, RecordClass::urgent};
    const auto is_large = [&] {
        return encode_office_statement(statement).size() > statement_bytes_max;
    };
    for (const auto record_class : least_urgent_first) {
        for (auto& log : statement.logs) {
            auto rest = without(log.done, log.withdrawn);
            while (log.record_class == record_class && is_large() && !rest.empty()) {
                rest = lower_half(rest);
                log.done = united(rest, log.withdrawn);
            }
            while (log.record_class == record_class && is_large() && !log.withdrawn.empty()) {
                const auto low = log.withdrawn.intervals().size() == 1 ? log.withdrawn
                                                                       : lower_half(log.withdrawn);
                log.withdrawn = without(log.withdrawn, low);
                log.done = log.withdrawn;
            }
        }
    }
}

// Called after every batch, so a known prekey keeps its signature and is not signed again.
std::vector<Prekey> prekeys_to_publish(const Ledger& ledger, const std::vector<Prekey>& before) {
    const auto* mail = ledger.config().mail;
    if (mail == nullptr) {
        return before;  // while mail is locked, others go on sealing to the known prekeys
    }
    std::vector<Prekey> prekeys;
    for (const auto& [epoch, pair] : mail->prekeys) {
        const auto known = std::ranges::find_if(before, [&](const Prekey& one) {
            return one.epoch == epoch && one.key == pair.public_key;
        });
        prekeys.push_back(known != before.end()
                              ? *known
                              : crypto::sign_prekey(mail->signing, ledger.network(), ledger.us(),
                                                    epoch, pair.public_key));
    }
    return prekeys;
}

// Asked after every batch, so no statement is made for it. Numbers below the lowest that `old`
// lists had no room there, and have none now.
bool may_have_more_withdrawn(const Ledger& ledger, const OfficeStatement& old) {
    return std::ranges::any_of(ledger.logs_of(ledger.us()), [&](const auto& entry) {
        const auto& [log, state] = entry;
        const auto* told = entry_of(old, log);
        if (state.withdrawn.empty() || told == nullptr || told->withdrawn.empty()) {
            return !state.withdrawn.empty();
        }
        return without(state.withdrawn, told->withdrawn).top() > told->withdrawn.next(1).value();
    });
}

void add_logs(const Ledger& ledger, OfficeStatement& statement) {
    for (const auto& [log, state] : ledger.logs_of(ledger.us())) {
        auto done = state.terminal();
        if (state.closed_from != 0) {
            done.remove({state.closed_from, UINT32_MAX});
        }
        if (state.published != 0 || !done.empty()) {
            auto withdrawn = intersection(state.withdrawn, done);
            statement.logs.push_back({log.incarnation, log.record_class, state.published,
                                      short_hash(state.published_id), std::move(done),
                                      std::move(withdrawn)});
        }
    }
    fit_withdrawn(statement);
    fit(statement);
}

}  // namespace

void renew_statement(Ledger& ledger, Now now) {
    if (ledger.meta().stopped) {
        return;
    }
    const auto& config = ledger.config();
    const auto* old = ledger.statement(ledger.us());
    OfficeStatement statement;
    statement.prekeys =
        prekeys_to_publish(ledger, old == nullptr ? std::vector<Prekey>{} : old->prekeys);
    statement.endpoints = config.endpoints;
    statement.software = config.software;
    statement.carries = config.carries;
    const RegisterKey key{ledger.us(), static_cast<std::uint8_t>(RegisterKind::office), {}};
    // Logs, roster version and transport epoch alone are told once a day, so they do not count as a
    // change. Reports that were taken back are told at once.
    bool is_due = true;
    if (old != nullptr) {
        auto same = statement;
        same.logs = old->logs;
        same.roster_version = old->roster_version;
        same.transport_epoch = old->transport_epoch;
        is_due = same != *old ||
                 ledger.newest(key)->version.incarnation != ledger.meta().incarnation ||
                 is_older_than(ledger.newest(key)->at, statement_renewal_seconds, ledger.wall(now));
        if (!is_due && !may_have_more_withdrawn(ledger, *old)) {
            return;
        }
    }
    statement.roster_version = ledger.roster().version();
    add_logs(ledger, statement);
    if (!is_due && !has_more_withdrawn(statement, *old)) {
        return;
    }
    // Opened only here: this function is called after every batch, and a slot costs much.
    Transport transport;
    const auto* newest = transport.newest(ledger);
    statement.transport_epoch = newest == nullptr ? std::uint16_t{0} : newest->epoch;
    Register entry;
    entry.key = key;
    entry.version = ledger.next_version();
    entry.at = ledger.wall(now);
    entry.payload = encode_office_statement(statement);
    crypto::sign_register(config.machine->identity, ledger.network(), entry);
    ledger.keep_register(entry);
}

}  // namespace fieldpost::engine
