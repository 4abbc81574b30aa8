#include "proto/epoch_slots.h"

#include <fmt/format.h>

#include <algorithm>

#include "proto/limits.h"

namespace fieldpost {

namespace {

// A register's counter has the epoch above these bits: a newer epoch replaces every revision of an
// older one.
constexpr unsigned revision_bits = 32;
constexpr std::size_t slot_bytes = 2 + 2 + WrappedGroupKey::size;

Result<std::vector<EpochSlots::Slot>> read_slots(ByteReader& in) {
    const auto count = TRY(in.read_varint());
    if (count == 0 || count > in.left() / slot_bytes) {
        return fail(Errc::malformed, fmt::format("epoch slots: {} slots", count));
    }
    std::vector<EpochSlots::Slot> slots;
    for (std::uint64_t i = 0; i < count; ++i) {
        EpochSlots::Slot slot;
        slot.office = OfficeId{TRY(in.read_u16())};
        slot.prekey_epoch = TRY(in.read_u16());
        slot.wrapped = TRY(in.read_array<WrappedGroupKey>());
        if (slot.office >= authority_signer ||
            (!slots.empty() && slot.office <= slots.back().office)) {
            return fail(Errc::malformed, "epoch slots: not of offices in ascending order");
        }
        slots.push_back(slot);
    }
    return slots;
}

}  // namespace

Register epoch_slots_register(const EpochSlots& slots, WallTime at) {
    ByteWriter subject;
    subject.u16(value_of(slots.group));
    subject.u8(slots.page);
    ByteWriter payload;
    payload.u16(slots.epoch);
    payload.u32(slots.roster_version);
    payload.raw(slots.group_key.view());
    payload.raw(slots.ephemeral.view());
    payload.varint(slots.slots.size());
    for (const auto& slot : slots.slots) {
        payload.u16(value_of(slot.office));
        payload.u16(slot.prekey_epoch);
        payload.raw(slot.wrapped.view());
    }
    Register entry;
    entry.key = {authority_signer, static_cast<std::uint8_t>(RegisterKind::epoch_slots),
                 subject.take()};
    entry.version.counter = std::uint64_t{slots.epoch} << revision_bits | slots.revision;
    entry.at = at;
    entry.payload = payload.take();
    return entry;
}

Result<EpochSlots> decode_epoch_slots(const Register& entry) {
    if (!entry.is_of_authority()) {
        return fail(Errc::malformed, "epoch slots: a register of another kind");
    }
    EpochSlots slots;
    ByteReader subject(entry.key.subject);
    slots.group = OfficeId{TRY(subject.read_u16())};
    slots.page = TRY(subject.read_u8());
    TRY(subject.expect_end("epoch slots"));
    if (!is_group(slots.group) || slots.group == no_office) {
        return fail(Errc::malformed, "epoch slots: of no group");
    }
    ByteReader in(entry.payload);
    slots.epoch = TRY(in.read_u16());
    slots.roster_version = TRY(in.read_u32());
    slots.group_key = TRY(in.read_array<BoxPublic>());
    slots.ephemeral = TRY(in.read_array<BoxPublic>());
    slots.slots = TRY(read_slots(in));
    TRY(in.expect_end("epoch slots"));
    if (entry.version.counter >> revision_bits != slots.epoch) {
        return fail(Errc::malformed, "epoch slots: the counter is not of the epoch");
    }
    slots.revision = static_cast<std::uint32_t>(entry.version.counter);
    if (slots.epoch == 0 || slots.epoch > limits::epochs_max) {
        return fail(Errc::malformed, "epoch slots: an epoch that no chain has");
    }
    if (slots.group_key.is_zero()) {
        return fail(Errc::malformed, "epoch slots: a group without its key");
    }
    if (slots.group == transport_group &&
        std::ranges::any_of(slots.slots, [](const auto& slot) { return slot.prekey_epoch != 0; })) {
        return fail(Errc::malformed, "epoch slots: the transport under a prekey");
    }
    return slots;
}

}  // namespace fieldpost
