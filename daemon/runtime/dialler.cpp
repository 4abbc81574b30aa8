#include "daemon/runtime/dialler.h"

namespace fieldpost::runtime {

namespace {

using namespace std::chrono_literals;

constexpr std::chrono::milliseconds backoff_first = 1s;
constexpr std::chrono::milliseconds backoff_last = 15min;

}  // namespace

void Dialler::set_targets(const engine::Ledger& ledger, const std::vector<std::string>& by_hand) {
    std::set<Target> wanted;
    for (const auto& [index, office] : ledger.roster().offices()) {
        if (index == ledger.us() || !office.is_member()) {
            continue;
        }
        if (const auto* statement = ledger.statement(index)) {
            for (const auto& endpoint : statement->endpoints) {
                wanted.insert({endpoint, index});
            }
        }
        for (const auto& endpoint : by_hand) {
            wanted.insert({endpoint, index});
        }
    }
    std::erase_if(attempts_, [&](const auto& entry) { return !wanted.contains(entry.first); });
    for (const auto& target : wanted) {
        attempts_.try_emplace(target);
    }
}

void Dialler::dial_due(link::ZmqLink& link, const engine::Ledger& ledger,
                       const std::set<OfficeId>& linked, Now now) {
    for (auto& [target, attempt] : attempts_) {
        const auto* office = ledger.roster().find(target.office);
        if (attempt.connection || attempt.next > now.steady || linked.contains(target.office) ||
            office == nullptr) {
            continue;
        }
        attempt.connection = link.dial(target.endpoint, office->link, target.office);
    }
}

void Dialler::went(link::ConnectionId connection, const std::string& reason, Now now) {
    for (auto& [target, attempt] : attempts_) {
        if (attempt.connection != connection) {
            continue;
        }
        attempt.connection.reset();
        attempt.reason = reason;
        ++attempt.failures;
        attempt.failing_since = attempt.failing_since.value_or(now.steady);
        attempt.next = now.steady + std::clamp((now.steady - *attempt.failing_since) / 10,
                                               backoff_first, backoff_last);
    }
}

void Dialler::start_over(const std::set<OfficeId>& offices, Now now) {
    for (auto& [target, attempt] : attempts_) {
        if (offices.empty() || offices.contains(target.office)) {
            attempt.failing_since.reset();
            attempt.next = now.steady;
        }
    }
}

void Dialler::came(link::ConnectionId connection) {
    for (auto& [target, attempt] : attempts_) {
        if (attempt.connection == connection) {
            attempt.failing_since.reset();
            attempt.reason.clear();
        }
    }
}

std::optional<Instant> Dialler::wake_at(const std::set<OfficeId>& linked) const {
    std::optional<Instant> earliest;
    for (const auto& [target, attempt] : attempts_) {
        if (!attempt.connection && !linked.contains(target.office) &&
            (!earliest || attempt.next < *earliest)) {
            earliest = attempt.next;
        }
    }
    return earliest;
}

}  // namespace fieldpost::runtime
