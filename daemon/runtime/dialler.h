// Keeps one link to each office that has an address: when to dial, where, and which of two to keep.
//
// Never gives up: tries again after a tenth of the time it has failed for, 1 s to 15 min. Where
// another machine with our keys takes each link from us, after 1 min, and twice as long each time.
//
// At most 16 attempts are under way, and at most 12 of them at addresses that nobody set by hand.
// An address where no office has proved its key yet may be a lie: at most 8 attempts are at these,
// and at most 4 of those at addresses heard in the local network. An office may announce many ports
// of one host: they are tried in turn, one at a time and with one backoff. Four offices at most are
// tried at one host at a time. All names that an office announces count as one host, for where they
// lead is another's word, too. Another statement with other ports or names begins none of this
// anew.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>

#include "daemon/engine/ledger.h"
#include "daemon/link/zmq_link.h"
#include "daemon/runtime/configuration.h"

namespace fieldpost::runtime {

class Dialler {
public:
    struct Target {
        std::string endpoint;
        OfficeId office{};
        auto operator<=>(const Target&) const = default;
    };
    struct Attempt {
        link::Way way;
        Policy policy;
        Permit permit;  // of the policy, now
        // The office itself says that it can be reached there.
        bool is_advertised = false;
        link::Word word = link::Word::by_hand;
        std::string host;  // of an address that is told; empty: a name
        std::optional<Instant> failing_since;
        Instant next{};
        Instant dialled{};  // last
        std::optional<link::ConnectionId> connection;
        std::optional<link::EndReason> reason;  // of the last failure
        std::uint32_t failures = 0;
        std::uint32_t contested = 0;  // times in a row that another machine with our keys took it
        std::uint32_t quick = 0;      // attempts soon after a failure, since it succeeded
        bool is_up = false;
        Instant succeeded{};  // last; zero: never
    };

    // Sets where each office can be reached: addresses that it says of itself, and addresses given
    // by hand, which may be any office's. Settings by hand for an address hold however the address
    // is known. If an office has a policy at one address, it is not dialled at another address
    // around that policy. If somebody has set a proxy, all addresses that offices tell of
    // themselves are dialled through it. `nearby` offices were heard in the local network.
    // Connections that are to be closed, because they were dialled otherwise, are returned.
    std::vector<link::ConnectionId> set_targets(const engine::Ledger& ledger,
                                                const std::vector<PeerConfiguration>& by_hand,
                                                const std::vector<Target>& nearby);
    // Sets what the policies permit from now on. Addresses that have just become permitted are
    // dialled at once.
    void permit(const std::function<Permit(OfficeId, const Policy&)>& permit, Now now);
    // The attempt whose policy a connection is held to. It is that of the address that was dialled,
    // or of the one where the office that dialled us is known to be. Null: none.
    [[nodiscard]] const Attempt* held_to(link::ConnectionId connection, OfficeId office) const;
    // Dials what is due and not linked already, a few at a time, first where it was reached last.
    void dial_due(link::ZmqLink& link, const engine::Ledger& ledger,
                  const std::set<OfficeId>& linked, const std::set<OfficeId>& in_small_segments,
                  Now now);
    void went(link::ConnectionId connection, link::EndReason reason, Now now);
    // The attempt whose connection this is; null: none.
    [[nodiscard]] const std::pair<const Target, Attempt>* of(link::ConnectionId connection) const;
    // The attempt that was begun as `old` goes on as `fresh`.
    void replace(link::ConnectionId old, link::ConnectionId fresh);
    void shook_hands(link::ConnectionId connection);
    // It said something: it does let us in.
    void came(link::ConnectionId connection, Now now);
    // As if nothing had been tried yet: a person asks for it, say. All offices, if none is named.
    void start_over(const std::set<OfficeId>& offices, Now now);
    // It is there, just now.
    void heard_at(const Target& target, Now now);
    // The network has changed: what is under way began on another one.
    void start_anew(link::ZmqLink& link, Now now);
    [[nodiscard]] std::optional<Instant> wake_at(const std::set<OfficeId>& linked, Now now) const;
    // At an address given by hand any office may be; once one was reached there, no other is looked
    // for as long as that one has not been missing for a while.
    [[nodiscard]] bool is_anothers(const Target& target, Now now) const;
    [[nodiscard]] const std::map<Target, Attempt>& attempts() const { return attempts_; }
    // How an attempt dials: with what is known of its address by now.
    [[nodiscard]] link::Way way_of(const Attempt& attempt) const;

private:
    // For one office: the addresses that it told, and at which it has not proved its key.
    struct Told {
        std::optional<Instant> failing_since;
        std::map<std::string, Instant> next;  // by host
    };
    struct UnderWay;
    [[nodiscard]] UnderWay under_way() const;
    [[nodiscard]] Instant told_next(const Target& target, const Attempt& attempt) const;
    void put_off_host(const Target& target, const Attempt& attempt, Now now);
    [[nodiscard]] bool is_open(const Target& target, const Attempt& attempt,
                               const std::set<OfficeId>& linked, Now now) const;

    std::map<Target, Attempt> attempts_;
    std::map<OfficeId, Told> told_;
    bool is_on_one_machine_ = false;
};

}  // namespace fieldpost::runtime
