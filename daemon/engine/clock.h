// The guarded clock: no decision that loses data rests on a wall clock that may be wrong (P11).
//
// Signed things carry max(clock, mark). The mark is the latest time that this office has seen.
// Records expire by `aged`. It follows the clock, but a jump forward over a day waits until the
// clocks of two peers confirm it, or a person does. Meanwhile it grows with monotonic time.
//
// A mark that a bad clock once drove into the future is set back by less: this machine's clock and
// one peer's that agree, as long as no other peer's bears out the mark. Too early a time loses
// nothing, and an office that meets one other only would stay in doubt for ever.
#pragma once

#include <map>
#include <optional>

#include "proto/vocabulary.h"
#include "storage/record_store.h"

namespace fieldpost::engine {

// True if work that was done at `time` is due again after `seconds`. It is also due if `time` is in
// the future: then the clock has been set back since.
inline bool is_older_than(WallTime time, std::int64_t seconds, WallTime now) {
    return time > now || time.plus(seconds) <= now;
}

class Clock {
public:
    // At start: a clock below the mark is in doubt until a peer bears it out.
    static void start(storage::OfficeMeta& meta, Now now);

    // Lets time pass. True if `meta` changed by more than what a crash may forget.
    bool advance(storage::OfficeMeta& meta, Now now);

    // Notes the clock of an authenticated peer.
    void hear(storage::OfficeMeta& meta, OfficeId peer, WallTime clock, Now now);

    // A person says that this machine's clock is right.
    void trust(storage::OfficeMeta& meta, Now now);

    // A jump of the clock that nobody has borne out yet.
    [[nodiscard]] bool is_waiting() const { return is_waiting_; }
    // How far the peer heard last was ahead of us, in seconds; nothing if none was heard.
    [[nodiscard]] std::optional<std::int64_t> offset_seconds() const { return offset_; }

private:
    struct Heard {
        WallTime clock;
        Instant at;
    };
    // The number of peers whose clocks, as told, are within a day of `time`.
    [[nodiscard]] std::ptrdiff_t witnesses(WallTime time, Now now) const;
    [[nodiscard]] bool may_set_back(WallTime mark, Now now) const;

    std::map<OfficeId, Heard> heard_;
    std::optional<Instant> last_;
    std::optional<std::int64_t> offset_;
    bool is_waiting_ = false;
};

}  // namespace fieldpost::engine
