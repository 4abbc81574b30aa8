// The guarded clock: no decision that loses data rests on a wall clock that may be wrong (P11).
//
// What is signed carries max(clock, mark), the mark being the latest time this office has seen.
// What expires, expires by `aged`: it follows the clock, but a jump forward over a day waits until
// two peers have told clocks that bear it out, or a person has; meanwhile it grows with monotonic
// time.
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

// What this office wrote down at `time` is due again after so long. So it is if `time` has not come
// yet: the clock that said it has been set back since.
inline bool is_older_than(WallTime time, std::int64_t seconds, WallTime now) {
    return time > now || time.plus(seconds) <= now;
}

class Clock {
public:
    // At start: a clock below the mark is in doubt until a peer bears it out.
    static void start(storage::OfficeMeta& meta, Now now);

    // Lets time pass. True if `meta` changed by more than what a crash may forget.
    bool advance(storage::OfficeMeta& meta, Now now);

    // What an authenticated peer said of its clock, now.
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
