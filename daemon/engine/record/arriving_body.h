// A body on its way here, part by part, from one source. Parts are checked as they come and kept at
// once. So the source of the next part, another link or a stick, goes on from there. Several
// sources may bring one body at a time: they share its checked parts (under_way.h).
#pragma once

#include "daemon/engine/record/intake.h"

namespace fieldpost::engine {

class ArrivingBody {
public:
    // Goes on with the parts that are here, or begins anew. `from`: the office that brings the
    // body, or no_office. An Error is the store's.
    static Result<ArrivingBody> begin(const Ledger& ledger, const Arriving& record, OfficeId from,
                                      Now now);
    // Goes on with a body of which some is here. Nothing: none of it is here.
    static Result<std::optional<ArrivingBody>> resume(const Ledger& ledger, const RecordId& id,
                                                      OfficeId from);

    enum class Took : std::uint8_t {
        more,          // it was kept, or the part is not complete yet
        out_of_place,  // not the chunk that comes next; nothing was changed
        spoiled,       // the part is not what its author signed, and was thrown away
        mixed,  // spoiled too, but begun by another source: nobody knows which of them spoiled it
        impossible,  // the body has no such part, or the list that proves it is missing
        no_room,     // it made way for other bodies of its author
    };
    // A chunk at the start of a part begins the part anew. Reads what earlier calls wrote: their
    // changes must have been applied.
    Result<Took> take(Ledger& ledger, const Chunk& chunk);

    [[nodiscard]] const Arriving& record() const { return record_; }
    [[nodiscard]] bool is_whole() const { return is_whole_; }
    // The record is owed to nobody any more.
    [[nodiscard]] bool is_terminal(const Ledger& ledger) const;
    // Makes the record terminal if its last recipient was served or cut off meanwhile: its author
    // stops sending then.
    Result<void> end_if_owed_to_nobody(Ledger& ledger);
    // Another source has brought it whole.
    [[nodiscard]] bool is_held(const Ledger& ledger) const;
    // Its parts here were dropped, to make room for other bodies of its author.
    [[nodiscard]] bool has_made_way(const Ledger& ledger) const;
    // Bytes of the body that are here, unchecked ones too.
    [[nodiscard]] std::uint64_t bytes_here(const Ledger& ledger) const;

    // Call one of these three at the end of a batch. `settle` is for a whole body. It returns
    // `wanted` if the record was kept; otherwise nothing of the body is here any more.
    void put_progress(Ledger& ledger);
    Result<Verdict> settle(Ledger& ledger, Via from, Now now, std::vector<Notice>& notify);
    void drop(Ledger& ledger) const;

private:
    // Loads the parts that are here.
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
    OfficeId prefix_from_ = no_office;  // no_office: several sources
    bool is_from_one_ = false;
    bool was_kept_ = false;
    bool is_whole_ = false;
    bool is_touched_ = false;
};

}  // namespace fieldpost::engine
