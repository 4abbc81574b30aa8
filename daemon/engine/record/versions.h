// The version of a report that counts: corrections, and reports that their author took back.
//
// All versions of a report are known by its first one. The highest version that was not withdrawn
// counts, and replaces all others (WIRE.md "Report"). So all offices agree, in whatever order
// versions came, and also where one of them never comes. Only the author of a report can correct
// it, and only the text that it names by hash.
//
// Bounds: only the newest 16 versions are looked at. Beyond that an author spoils the lists of its
// own reports, and nothing else.
#pragma once

#include "daemon/engine/ledger.h"

namespace fieldpost::engine {

// Files a correction with the first version of its report, which may come later. The page of the
// correction must be there.
Result<void> file_correction(Ledger& ledger, const storage::ReportKey& correction,
                             const Report& report);

// The version of the report that counts now, of which `report` is one. Nothing: none stands here.
Result<std::optional<storage::ReportKey>> standing_version(const Ledger& ledger,
                                                           const storage::ReportKey& report);

// Call after the page of a report was written: corrections of it may have come before.
Result<void> find_corrections(Ledger& ledger, const storage::ReportKey& original);

// Notes on the page of a report that its author took it back. Recipients that are not known to have
// an own report will not get it. False: there is no page, or it says so already.
Result<bool> mark_withdrawn(Ledger& ledger, const storage::ReportKey& report,
                            const storage::Withdrawn& withdrawn, Now now);

}  // namespace fieldpost::engine
