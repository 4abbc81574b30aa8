// The registers that go to the peer next, and the pace at which those of other offices do.
//
// Nothing here survives the link.
#pragma once

#include <deque>

#include "daemon/engine/session/step.h"

namespace fieldpost::engine {

class RegisterQueue {
public:
    void want(const RegisterName& name) { waiting_.insert(name); }
    void drop(const RegisterName& name) { waiting_.erase(name); }
    // The peer has sent this one, and it is the newest here.
    void peer_told(const RegisterName& name, const ShortHash& hash);
    // Registers that are new here since the last batch.
    void add(const Ledger& ledger, const std::set<RegisterName>& news);

    // Sends registers that this office signed, and receipts about the peer's records.
    void send_own(const Step& step);
    // Sends a frame of registers that others signed, the signers in turn.
    void pass_on(const Step& step);

    [[nodiscard]] bool is_empty() const { return waiting_.empty(); }
    // When a register may be passed on that waits for its minute.
    [[nodiscard]] std::optional<Instant> passes_on_at() const { return passes_on_at_; }

private:
    std::set<RegisterName> waiting_;
    // Registers of other offices that went over this link within the last minute. An office that
    // signs again and again so takes a small part of it.
    std::map<RegisterName, Instant> passed_on_at_;
    std::optional<Instant> passes_on_at_;
    OfficeId last_passed_on_{};
    // The peer sent these in this batch, and ours were the same. They are no news to it, unless
    // newer ones came since.
    std::map<RegisterName, ShortHash> just_told_;
};

}  // namespace fieldpost::engine
