// An office whose store was put back from a copy, or runs twice, goes on in a new incarnation.
//
// The store has no longer signed last under its numbers, so it signs nothing more under them
// (self_check.h). The new incarnation has an ordinal above every one in which this office was seen
// to sign. Numbers of older incarnations that are public stay valid, and are passed on as any
// office's. Reports that no recipient is known to have are written again (record/reissue.h), and so
// is what was never public: another record may be public under its number.
//
// The first time this happens by itself, some seconds after the last news of an incarnation: a
// store that was put back more than once learns of its earlier lives one after the other. If the
// office is caught again within 30 days, two copies are at work: it stops until a person says that
// this one goes on.
#pragma once

#include "daemon/engine/ledger.h"

namespace fieldpost::engine {

// When an office that was caught goes on. Not in the store: a daemon that starts waits anew.
class Patience {
public:
    // Call at the end of each batch. Time is that of the links.
    [[nodiscard]] bool is_over(const Ledger& ledger, Instant now);
    // Empty: it does not wait.
    [[nodiscard]] std::optional<Instant> ends_at() const { return ends_at_; }

private:
    std::optional<Instant> ends_at_;
    Incarnation seen_;
};

// Draws the incarnation, and reserves numbers in it. refused: there is no ordinal left.
Result<void> begin_new_life(Ledger& ledger, Now now, std::vector<Notice>& notify);

// Own reports of older incarnations that are to be written again. Not in the store: it follows from
// the pages and from what is held.
class OlderLives {
public:
    // To be called at a start, when a new life has begun, and when the members have changed: who
    // could not be sealed to may be now.
    void look_at(const Ledger& ledger);
    // Writes again a part of them. True: there may be more to do. While mail is locked it waits. An
    // Error is the store's.
    Result<bool> go_on(Ledger& ledger, Now now, std::vector<Notice>& notify);

private:
    std::map<LogKey, Number> from_;
};

}  // namespace fieldpost::engine
