// Bodies that the peer sends in streams, and the records that it was told to keep back.
//
// Nothing here survives the link. Parts that came and were checked are in the store.
#pragma once

#include <functional>

#include "daemon/engine/link_view.h"
#include "daemon/engine/record/arriving_body.h"
#include "daemon/engine/session/arrival_rate.h"
#include "daemon/engine/session/send_queue.h"

namespace fieldpost::engine {

// True if that record is left to another link.
using Elsewhere = std::function<bool(const Header&, const RecordId&)>;

class IncomingBodies {
public:
    // --- frames. An Error is the store's.
    Result<void> open(const Step& step, const StreamOpened& opened, const Elsewhere& elsewhere);
    Result<void> resume(const Step& step, const StreamResumed& resumed, const Elsewhere& elsewhere);
    // Returns the office whose leaf has to be told again, if the peer sent what does not fit to the
    // parts that are here.
    Result<std::optional<OfficeId>> take(const Step& step, const Chunk& chunk, SendQueue& queue);
    // The consequences of a verdict that is not `wanted`, for a record that came whole or in a
    // stream.
    void heed(const Step& step, const Arriving& record, Verdict verdict);

    // --- at the end of a batch
    // Keeps the bodies that are whole. Returns the authors of the records that were kept.
    Result<std::set<OfficeId>> finish(const Step& step, SendQueue& queue);
    // Authors whose records the peer was told to keep back, if the cause is gone. Their leaves are
    // to be told again.
    std::set<OfficeId> wanted_again(const Step& step, const Elsewhere& elsewhere);

    // --- beside other links
    [[nodiscard]] bool is_bringing(const RecordId& id) const;
    // True if another link should bring it, over which `other_bytes` came in the last five seconds.
    [[nodiscard]] bool is_slow_with(const RecordId& id, std::uint64_t other_bytes, Now now) const;
    // Another link brings it from here on.
    void leave_to_another(const Step& step, const RecordId& id);

    // --- for the session
    [[nodiscard]] bool is_empty() const { return streams_.empty(); }
    // Bodies that came whole in this batch are not counted.
    [[nodiscard]] std::size_t under_way() const;
    // Records that the peer was told to keep back are lacking here.
    [[nodiscard]] bool keeps_anything_back() const;
    [[nodiscard]] std::optional<Instant> wake_at(Instant now) const;
    void show(std::vector<Transfer>& transfers) const;

private:
    struct Incoming {
        ArrivingBody body;
        Instant since;
        ArrivalRate rate{};
        std::uint64_t bytes_here = 0;
    };
    using Streams = std::map<std::uint32_t, Incoming>;

    [[nodiscard]] Streams::iterator bringing(const RecordId& id);
    [[nodiscard]] Streams::const_iterator bringing(const RecordId& id) const;
    // Ends a stream that is not wanted any more, or that another source has brought.
    Streams::iterator end_stream(const Step& step, Streams::iterator at, SkipReason reason,
                                 SendQueue& queue);
    void leave(const Step& step, std::uint32_t stream, const Header& header, const RecordId& id);
    void put_off(OfficeId author, Now now);
    void skip_until_later(const Step& step, std::uint32_t stream, OfficeId author);

    Streams streams_;
    // The peer was told to keep back these: records that another link brings, records of these
    // authors for want of room, and records of which it brought bytes that the author did not sign.
    // It is not asked for the last again.
    std::map<RecordId, Header> left_to_others_;
    std::set<OfficeId> put_off_;
    Instant put_off_until_{};
    std::chrono::milliseconds put_off_for_{};
    std::set<RecordId> spoiled_;
    bool was_full_ = false;
};

}  // namespace fieldpost::engine
