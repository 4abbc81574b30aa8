// A body on its way here, part by part, from one source. Parts are checked as they come and kept at
// once, so that whatever brings the next part, another link or a stick, goes on from there. Several
// sources may bring one body at a time: what is checked is one for all of them (under_way.h).
#pragma once

#include "daemon/engine/record/intake.h"

namespace fieldpost::engine {

class ArrivingBody {
public:
    // Goes on with what is here of it, or begins. `from`: who brings it, or no_office. An Error is
    // the store's.
    static Result<ArrivingBody> begin(const Ledger& ledger, const Arriving& record, OfficeId from,
                                      Now now);
    // Nothing: none of it is here.
    static Result<std::optional<ArrivingBody>> resume(const Ledger& ledger, const RecordId& id,
                                                      OfficeId from);

    enum class Took : std::uint8_t {
        more,          // it was kept, or the part is not complete yet
        out_of_place,  // not what comes next; nothing was changed
        spoiled,       // the part is not what its author signed, and was thrown away
        mixed,         // so too, but it was begun by another source: nobody knows who spoiled it
        impossible,    // the body has no such part, or what would prove it is missing
        no_room,       // it made way for others of its author
    };
    // A chunk at the start of a part begins it anew. Reads what earlier calls wrote: their changes
    // must have been applied.
    Result<Took> take(Ledger& ledger, const Chunk& chunk);

    [[nodiscard]] const Arriving& record() const { return record_; }
    [[nodiscard]] bool is_whole() const { return is_whole_; }
    // It is owed to nobody any more.
    [[nodiscard]] bool is_terminal(const Ledger& ledger) const;
    // Another source has brought it whole.
    [[nodiscard]] bool is_held(const Ledger& ledger) const;
    // Its parts here were dropped, to make room for other bodies of its author.
    [[nodiscard]] bool has_made_way(const Ledger& ledger) const;
    // So many of its bytes are here.
    [[nodiscard]] std::uint64_t bytes_here(const Ledger& ledger) const;

    // At the end of a batch, one of the three. `settle` is for a whole one: wanted if it was kept,
    // else nothing of it is here any more.
    void put_progress(Ledger& ledger);
    Result<Verdict> settle(Ledger& ledger, Via from, Now now, std::vector<Notice>& notify);
    void drop(Ledger& ledger) const;

private:
    // From what is here of it.
    static Result<ArrivingBody> go_on(const Ledger& ledger, const RecordId& id, OfficeId from);
    [[nodiscard]] bool has_log(const Ledger& ledger) const;
    [[nodiscard]] const UnderWay* kept(const Ledger& ledger) const;
    [[nodiscard]] bool is_right(const Ledger& ledger, std::uint32_t part, BytesView bytes,
                                BytesView list) const;
    Result<Took> check_part(Ledger& ledger, std::uint32_t part);
    void forget_beginning();
    void choose_blob(Ledger& ledger);
    void write(Ledger& ledger, IntervalSet checked);

    Arriving record_;
    WallTime expires_;
    OfficeId from_ = no_office;
    storage::Blob blob_{};
    std::uint32_t prefix_part_ = 0;
    Bytes prefix_;
    OfficeId prefix_from_ = no_office;  // no_office: several
    bool is_from_one_ = false;
    bool was_kept_ = false;
    bool is_whole_ = false;
    bool is_touched_ = false;
};

}  // namespace fieldpost::engine
