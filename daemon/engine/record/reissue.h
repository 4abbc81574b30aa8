// A reissue: an own report that is written again in a new record, for recipients whom the first one
// does not reach (WIRE.md 3).
//
// The report keeps its ID, its hash and its page. A recipient shows it once. On the page each of
// these recipients says which record serves it, and only proofs of that record count for it: a
// receipt may name the number of a first one that its signer only carries. The record itself is
// dropped once it is terminal, because the first one is in the outbox.
#pragma once

#include "daemon/engine/ledger.h"

namespace fieldpost::engine {

// The part of the work that a batch has time for: links are served in between.
struct Allowance {
    std::size_t looks = 300;
    std::size_t reports = 16;
    std::uint64_t bytes = std::uint64_t{1} << 18;

    [[nodiscard]] bool is_spent() const { return looks == 0 || reports == 0 || bytes == 0; }
    void count(std::uint64_t written) {
        reports -= written > 0 ? 1 : 0;
        bytes -= std::min(bytes, written);
    }
};

// False while mail is locked, or this office signs nothing.
bool may_write_again(const Ledger& ledger);

// Writes the report again for some recipients of its page. Each of them is named beside the office
// that takes its place, which may be itself. The record lives as long as the first one would.
// An Error is the store's.
struct WrittenAgain {
    std::uint64_t bytes = 0;  // 0: it was not written
    bool is_gone = false;     // it never can be: it has expired, or its words are not here any more
};
Result<WrittenAgain> write_again(Ledger& ledger, const storage::ReportKey& report,
                                 const std::map<OfficeId, OfficeId>& to, Now now,
                                 std::vector<Notice>& notify);

}  // namespace fieldpost::engine
