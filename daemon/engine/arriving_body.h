// A body on its way here, part by part. Parts are checked as they come and kept at once, so that
// whatever brings the next part, another link or a stick, goes on from there.
#pragma once

#include "daemon/engine/intake.h"

namespace fieldpost::engine {

class ArrivingBody {
public:
    // Goes on with what is here of it, or begins.
    static ArrivingBody begin(Ledger& ledger, const Arriving& record, Now now);
    // Nothing: none of it is under way. An Error is the store's.
    static Result<std::optional<ArrivingBody>> resume(const Ledger& ledger, const RecordId& id);

    enum class Took : std::uint8_t {
        more,          // it was kept, or the part is not complete yet
        out_of_place,  // not what comes next; nothing was changed
        spoiled,       // the part is not what its author signed, and was thrown away
        impossible,    // the body has no such part, or what would prove it is missing
    };
    // Reads what earlier calls wrote: their changes must have been applied.
    Result<Took> take(Ledger& ledger, const Chunk& chunk);
    // The unchecked beginning of a part is thrown away, to come again.
    void forget_beginning();

    [[nodiscard]] const Arriving& record() const { return record_; }
    [[nodiscard]] const storage::Partial& progress() const { return partial_; }
    [[nodiscard]] bool is_whole() const { return is_whole_; }
    // It is owed to nobody any more.
    [[nodiscard]] bool is_terminal(const Ledger& ledger) const;

    // At the end of a batch, one of the three. `settle` is for a whole one: true if it was kept.
    void put_progress(Ledger& ledger);
    Result<bool> settle(Ledger& ledger, Via from, Now now, std::vector<Notice>& notify);
    void drop(Ledger& ledger) const;

private:
    [[nodiscard]] bool is_right(const Ledger& ledger, std::uint32_t part, BytesView bytes,
                                BytesView list) const;

    Arriving record_;
    storage::Partial partial_;
    bool is_whole_ = false;
    bool is_touched_ = false;
};

}  // namespace fieldpost::engine
