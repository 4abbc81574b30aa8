// The page of a report as bytes. Only the parts that are there take any: there may be a million
// pages.
#include "storage/report_page.h"

#include "storage/values.h"

namespace fieldpost::storage {

namespace {

// Flags for the parts of a page that are there.
constexpr std::uint8_t page_is_outbox = 1;
constexpr std::uint8_t page_is_replaced = 2;
constexpr std::uint8_t page_is_correction = 4;
constexpr std::uint8_t page_is_withdrawn = 8;
constexpr std::uint8_t page_has_withdrawal = 0x10;
constexpr std::uint8_t page_is_forgotten = 0x20;
constexpr std::uint8_t page_was_replaced = 0x40;  // the feed has told so
// Flags for the parts of a recipient that are there, above its state.
constexpr std::uint8_t state_mask = 0x7;
constexpr std::uint8_t was_carried = 0x08;
constexpr std::uint8_t was_delivered = 0x10;
constexpr std::uint8_t was_answered = 0x20;
constexpr std::uint8_t has_reason = 0x40;
constexpr std::uint8_t was_told = 0x80;
// In the byte of the reason, which is there for this flag too.
constexpr std::uint8_t was_reissued = 0x80;

Result<Recipient> read_recipient(ByteReader& in) {
    Recipient one;
    one.office = OfficeId{TRY(in.read_u16())};
    const auto flags = TRY(in.read_u8());
    one.state = State{static_cast<std::uint8_t>(flags & state_mask)};
    if ((flags & has_reason) != 0) {
        const auto reason = TRY(in.read_u8());
        one.reason = FailReason{static_cast<std::uint8_t>(reason & ~was_reissued)};
        if ((reason & was_reissued) != 0) {
            one.reissued_as = TRY(read_origin(in));
        }
    }
    if ((flags & was_carried) != 0) {
        one.carried_at = WallTime{TRY(in.read_u32())};
        one.carried_by = OfficeId{TRY(in.read_u16())};
    }
    if ((flags & was_delivered) != 0) {
        one.delivered_at = WallTime{TRY(in.read_u32())};
    }
    if ((flags & was_answered) != 0) {
        one.acknowledged_at = WallTime{TRY(in.read_u32())};
        one.outcome = ReplyOutcome{TRY(in.read_u8())};
        one.answer = TRY(read_origin(in));
    }
    if ((flags & was_told) != 0) {
        one.change = TRY(in.read_varint());
    }
    if (one.state > State::failed || one.reason > FailReason::blocked ||
        one.outcome > ReplyOutcome::refused) {
        return fail(Errc::corrupt, "a state that is none");
    }
    return one;
}

Result<Withdrawn> read_withdrawn(ByteReader& in, bool has_withdrawal) {
    Withdrawn withdrawn;
    withdrawn.at = WallTime{TRY(in.read_u32())};
    withdrawn.change = TRY(in.read_varint());
    if (has_withdrawal) {
        withdrawn.by = TRY(read_origin(in));
    }
    return withdrawn;
}

Result<ReportProgress> read_progress(ByteReader& in) {
    ReportProgress page;
    page.arrival = Arrival{TRY(in.read_varint())};
    const auto flags = TRY(in.read_u8());
    page.box = (flags & page_is_outbox) != 0 ? Box::outbox : Box::inbox;
    page.type = TypeNumber{static_cast<std::uint32_t>(TRY(in.read_varint()))};
    page.size_bytes = TRY(in.read_varint());
    page.change = TRY(in.read_varint());
    if ((flags & page_is_replaced) != 0) {
        page.replaced_by = TRY(read_report_key(in));
    }
    if ((flags & page_was_replaced) != 0) {
        page.replaced_change = TRY(in.read_varint());
    }
    if ((flags & page_is_correction) != 0) {
        page.corrects.emplace().first = TRY(read_report_key(in));
        page.corrects->version = static_cast<std::uint32_t>(TRY(in.read_varint()));
    }
    if ((flags & page_is_withdrawn) != 0) {
        page.withdrawn = TRY(read_withdrawn(in, (flags & page_has_withdrawal) != 0));
    }
    if ((flags & page_is_forgotten) != 0) {
        page.forgotten_at = WallTime{TRY(in.read_u32())};
    }
    const auto addressed = TRY(in.read_varint());
    for (std::uint64_t i = 0; i < addressed; ++i) {
        page.addressed.push_back(OfficeId{TRY(in.read_u16())});
    }
    while (!in.at_end()) {
        page.recipients.push_back(TRY(read_recipient(in)));
    }
    return page;
}

}  // namespace

namespace {

std::uint8_t flag_if(bool is_there, std::uint8_t flag) {
    return is_there ? flag : std::uint8_t{0};
}

void write(ByteWriter& out, const Recipient& one) {
    out.u16(value_of(one.office));
    out.u8(static_cast<std::uint8_t>(
        static_cast<std::uint8_t>(one.state) |
        flag_if(one.reason != FailReason::none || one.reissued_as, has_reason) |
        flag_if(one.carried_at != WallTime{}, was_carried) |
        flag_if(one.delivered_at != WallTime{}, was_delivered) |
        flag_if(one.answer.has_value(), was_answered) | flag_if(one.change != 0, was_told)));
    if (one.reason != FailReason::none || one.reissued_as) {
        out.u8(static_cast<std::uint8_t>(static_cast<std::uint8_t>(one.reason) |
                                         flag_if(one.reissued_as.has_value(), was_reissued)));
    }
    if (one.reissued_as) {
        write(out, *one.reissued_as);
    }
    if (one.carried_at != WallTime{}) {
        out.u32(one.carried_at.seconds);
        out.u16(value_of(one.carried_by));
    }
    if (one.delivered_at != WallTime{}) {
        out.u32(one.delivered_at.seconds);
    }
    if (one.answer) {
        out.u32(one.acknowledged_at.seconds);
        out.u8(static_cast<std::uint8_t>(one.outcome));
        write(out, *one.answer);
    }
    if (one.change != 0) {
        out.varint(one.change);
    }
}

}  // namespace

Bytes encode(const ReportProgress& page) {
    ByteWriter out;
    out.varint(static_cast<std::uint64_t>(page.arrival));
    const bool has_withdrawal = page.withdrawn && page.withdrawn->by;
    out.u8(static_cast<std::uint8_t>(flag_if(page.box == Box::outbox, page_is_outbox) |
                                     flag_if(page.replaced_by.has_value(), page_is_replaced) |
                                     flag_if(page.replaced_change != 0, page_was_replaced) |
                                     flag_if(page.corrects.has_value(), page_is_correction) |
                                     flag_if(page.withdrawn.has_value(), page_is_withdrawn) |
                                     flag_if(has_withdrawal, page_has_withdrawal) |
                                     flag_if(page.forgotten_at != WallTime{}, page_is_forgotten)));
    out.varint(static_cast<std::uint32_t>(page.type));
    out.varint(page.size_bytes);
    out.varint(page.change);
    if (page.replaced_by) {
        write_report_key(out, *page.replaced_by);
    }
    if (page.replaced_change != 0) {
        out.varint(page.replaced_change);
    }
    if (page.corrects) {
        write_report_key(out, page.corrects->first);
        out.varint(page.corrects->version);
    }
    if (page.withdrawn) {
        out.u32(page.withdrawn->at.seconds);
        out.varint(page.withdrawn->change);
    }
    if (has_withdrawal) {
        write(out, *page.withdrawn->by);
    }
    if (page.forgotten_at != WallTime{}) {
        out.u32(page.forgotten_at.seconds);
    }
    out.varint(page.addressed.size());
    for (const auto office : page.addressed) {
        out.u16(value_of(office));
    }
    for (const auto& one : page.recipients) {
        write(out, one);
    }
    return out.take();
}

Result<ReportProgress> decode_progress(BytesView value) {
    ByteReader in(value);
    return or_corrupt(read_progress(in));
}

}  // namespace fieldpost::storage
