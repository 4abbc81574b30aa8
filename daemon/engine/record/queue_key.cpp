#include "daemon/engine/record/queue_key.h"

#include "crypto/hash.h"
#include "daemon/engine/queries.h"

namespace fieldpost::engine {

namespace {

// Raise this number when the hash is made in another way.
constexpr std::uint8_t content_version = 1;

Hash hash_of_key(const Ledger& ledger, std::string_view key) {
    return crypto::hash("queue-key", ledger.network(), {as_bytes(key)});
}

// The offices that the person named, in order.
std::vector<OfficeId> named_in(const Draft& draft) {
    std::vector<OfficeId> named;
    std::ranges::copy_if(draft.to, std::back_inserter(named),
                         [&](OfficeId office) { return !draft.may_leave_out.contains(office); });
    std::ranges::sort(named);
    return named;
}

Report without_clock(Report report) {
    report.created = {};
    report.utc_offset_minutes.reset();
    return report;
}

Hash hash_of_content(const Ledger& ledger, const Draft& draft) {
    ByteWriter out;
    out.u8(static_cast<std::uint8_t>(draft.record_class));
    out.u32(draft.lifetime_seconds);
    const auto named = named_in(draft);
    out.varint(named.size());
    for (const auto office : named) {
        out.u16(value_of(office));
    }
    const auto report = encode_report(without_clock(draft.report));
    return crypto::hash("queue-content", ledger.network(),
                        {out.bytes(), report, draft.attachments});
}

Result<bool> has_attachments(const Ledger& ledger, const ReportView& view, BytesView bytes) {
    const auto& files = view.report->attachments;
    if (view.report->attachment_bytes() != bytes.size()) {
        return false;
    }
    for (std::size_t i = 0; i < files.size(); ++i) {
        const auto size = static_cast<std::size_t>(files[i].size);
        if (!equal(TRY(attachment_part(ledger, view.key, i, 0, size)), bytes.first(size))) {
            return false;
        }
        bytes = bytes.subspan(size);
    }
    return true;
}

// Another release made the hash, so the report itself is compared.
Result<bool> is_report(const Ledger& ledger, const storage::ReportKey& key, const Draft& draft) {
    const auto view = TRY(view_of(ledger, key));
    if (!view.report) {
        return fail(Errc::refused,
                    "this key was used by another release, and what was queued "
                    "with it cannot be read here");
    }
    const auto named = named_in(draft);
    return without_clock(*view.report) == without_clock(draft.report) &&
           view.header.log.record_class == draft.record_class &&
           view.header.lifetime_seconds == draft.lifetime_seconds &&
           std::ranges::all_of(named, [&](OfficeId office) {
               return std::ranges::any_of(view.recipients, [&](const RecipientView& one) {
                   return one.proved.office == office;
               });
           }) &&
           TRY(has_attachments(ledger, view, draft.attachments));
}

}  // namespace

Result<std::optional<storage::KeyedReport>> report_under(const Ledger& ledger,
                                                         std::string_view key) {
    return ledger.store().keyed(hash_of_key(ledger, key));
}

Result<bool> is_same(const Ledger& ledger, const storage::KeyedReport& queued, const Draft& draft) {
    return queued.content_version == content_version
               ? queued.content == hash_of_content(ledger, draft)
               : is_report(ledger, queued.report, draft);
}

void keep_key(Ledger& ledger, const Draft& draft, const storage::ReportKey& report) {
    ledger.write(storage::PutKeyed{hash_of_key(ledger, draft.key),
                                   {hash_of_content(ledger, draft), report, content_version}});
}

}  // namespace fieldpost::engine
