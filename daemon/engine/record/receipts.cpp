#include "daemon/engine/record/receipts.h"

#include "crypto/register_seal.h"
#include "daemon/engine/record/tops.h"
#include "proto/limits.h"

namespace fieldpost::engine {

namespace {

// A register's other fields and signature stay well below this.
constexpr std::size_t receipt_bytes_max = limits::register_bytes_max - 128;

// Removes these numbers from the unreadable and the refused.
void forget_failed(ReceiptLog& entry, const IntervalSet& numbers) {
    entry.unreadable.remove(numbers);
    for (auto& [reason, refused] : entry.refused) {
        refused.remove(numbers);
    }
    std::erase_if(entry.refused, [](const auto& pair) { return pair.second.empty(); });
}

// Numbers receipted while mail was locked and found unreadable afterwards. Their author counts them
// as delivered until it is told otherwise, even if it has closed them since.
IntervalSet moved_to_unreadable(const storage::LogState& state) {
    return intersection(state.receipted, state.unreadable);
}

// The receipt of one log, without `tops`.
ReceiptLog receipt_of(const LogKey& log, const storage::LogState& state, const OwnLog* author) {
    ReceiptLog entry;
    entry.incarnation = log.incarnation;
    entry.record_class = log.record_class;
    // An author may have signed several records under one number, and each may have ended here in
    // another way. But no number may be in two sets.
    const auto moved = moved_to_unreadable(state);
    entry.received = without(state.receipted, moved);
    entry.unreadable = state.unreadable;
    auto told = united(entry.received, entry.unreadable);
    for (const auto& [reason, numbers] : state.refused) {
        auto refused = without(numbers, told);
        if (!refused.empty()) {
            told.add(refused);
            entry.refused.emplace(reason, std::move(refused));
        }
    }
    // Numbers that the author has closed from the beginning on need no word any more. But of a
    // report that it took back it wants to know who has read it.
    const auto open = author == nullptr ? Number{1} : author->done.next_absent(1).value_or(1);
    if (open > 1) {
        const IntervalSet low{{1, open - 1}};
        entry.received.remove(without(low, author->withdrawn));
        forget_failed(entry, without(low, moved));
    }
    return entry;
}

std::size_t size_of(const ReceiptLog& entry) {
    return encode_receipt({{entry}}).size();
}

void fit(const Ledger& ledger, OfficeId author, Receipt& receipt) {
    constexpr std::array<RecordClass, record_classes> least_urgent_first = {
        RecordClass::bulk, RecordClass::normal, RecordClass::reply, RecordClass::urgent};
    auto size = encode_receipt(receipt).size();
    // Encodes a log once more after each change that at least halves it.
    const auto change = [&](ReceiptLog& entry, const auto& how) {
        const auto before = size_of(entry);
        how(entry);
        size -= before - std::min(before, size_of(entry));
    };
    for (auto& entry : receipt.logs) {
        const LogKey log{author, entry.incarnation, entry.record_class};
        const auto* own = ledger.author_on(log);
        if (size > receipt_bytes_max && own != nullptr) {
            change(entry, [&](ReceiptLog& one) {
                one.received.remove(own->done);
                forget_failed(one, without(own->done, moved_to_unreadable(ledger.log(log))));
            });
        }
    }
    for (const auto record_class : least_urgent_first) {
        for (auto& entry : receipt.logs) {
            while (entry.record_class == record_class && size > receipt_bytes_max &&
                   !(entry.received.empty() && entry.unreadable.empty() && entry.refused.empty())) {
                change(entry, [](ReceiptLog& one) {
                    one.refused.clear();  // told again once there is room; a refusal ends nothing
                    one.received = lower_half(one.received);
                    one.unreadable = lower_half(one.unreadable);
                });
            }
        }
    }
}

}  // namespace

Result<void> renew_receipts(Ledger& ledger, const std::set<OfficeId>& authors, Now now) {
    if (ledger.meta().stopped) {
        return ok();
    }
    for (const auto author : authors) {
        Receipt receipt;
        for (const auto& [log, state] : ledger.logs_of(author)) {
            if (state.addresses_us) {
                receipt.logs.push_back(receipt_of(log, state, ledger.author_on(log)));
            }
        }
        fit(ledger, author, receipt);
        for (auto& entry : receipt.logs) {
            const LogKey log{author, entry.incarnation, entry.record_class};
            const auto named =
                TRY(name_tops(ledger, log, united(entry.received, entry.unreadable)));
            entry.tops = named.hash;
            entry.received = intersection(entry.received, named.numbers);
            entry.unreadable = intersection(entry.unreadable, named.numbers);
        }
        Register entry;
        entry.key = {ledger.us(), static_cast<std::uint8_t>(RegisterKind::receipt),
                     receipt_subject(author)};
        entry.payload = encode_receipt(receipt);
        const auto* old = ledger.newest(entry.key);
        // In a new life everything is signed once more: a copy of this store may have signed since.
        const bool is_told = old != nullptr && old->payload == entry.payload &&
                             old->version.incarnation == ledger.meta().incarnation;
        if (receipt.logs.empty() || is_told) {
            continue;
        }
        entry.version = ledger.next_version();
        entry.at = ledger.wall(now);
        crypto::sign_register(ledger.config().machine->identity, ledger.network(), entry);
        ledger.keep_register(entry);
    }
    return ok();
}

}  // namespace fieldpost::engine
