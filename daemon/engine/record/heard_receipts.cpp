#include "daemon/engine/record/heard_receipts.h"

namespace fieldpost::engine {

namespace {

// Runs remembered of one recipient's receipts: 128 KiB. To make this office forget them a recipient
// must sign a dozen receipts that share nothing.
constexpr std::size_t looked_runs_max = 16'384;

// Ids of own records that are remembered: 2 MiB. Eight receipts name no more.
constexpr std::size_t own_ids_max = 16'384;

// Bytes of receipts that are kept decoded: enough for 1,000 honest offices with receipts about one
// author's records.
constexpr std::size_t decoded_bytes_max = 16U << 20;

// An estimate of the bytes that a decoded receipt takes in memory.
std::size_t memory_of(const Receipt& receipt) {
    std::size_t bytes = 128;
    for (const auto& log : receipt.logs) {
        auto runs = log.received.intervals().size() + log.unreadable.intervals().size();
        for (const auto& [reason, numbers] : log.refused) {
            runs += numbers.intervals().size() + 8;
        }
        bytes += sizeof(ReceiptLog) + runs * sizeof(Interval);
    }
    return bytes;
}

}  // namespace

IntervalSet all_refused(const ReceiptLog& entry) {
    IntervalSet all;
    for (const auto& [reason, numbers] : entry.refused) {
        all.add(numbers);
    }
    return all;
}

void DecodedReceipts::forget(OfficeId signer, OfficeId author) {
    const auto found = decoded_.find({signer, author});
    if (found != decoded_.end()) {
        bytes_ -= found->second == nullptr ? memory_of({}) : memory_of(*found->second);
        decoded_.erase(found);
    }
}

std::shared_ptr<const Receipt> DecodedReceipts::get(OfficeId signer, OfficeId author,
                                                    const Register* entry) {
    const auto found = decoded_.find({signer, author});
    if (found != decoded_.end()) {
        return found->second;
    }
    auto receipt =
        entry == nullptr ? fail(Errc::not_found, "receipt: none") : decode_receipt(entry->payload);
    auto kept = receipt ? std::make_shared<const Receipt>(std::move(*receipt)) : nullptr;
    const auto bytes = kept == nullptr ? memory_of({}) : memory_of(*kept);
    if (bytes_ + bytes > decoded_bytes_max) {
        decoded_.clear();
        bytes_ = 0;
    }
    bytes_ += bytes;
    decoded_.emplace(std::pair(signer, author), kept);
    return kept;
}

const Receipt* HeardReceipts::acted_on(OfficeId signer) const {
    const auto found = acted_on_.find(signer);
    return found == acted_on_.end() ? nullptr : &found->second;
}

HeardReceipts::Looked& HeardReceipts::looked(OfficeId recipient, const LogKey& log,
                                             const ReceiptLog* old) {
    const auto [found, is_new] = looked_[recipient].try_emplace(log);
    auto& looked = found->second;
    if (is_new && old != nullptr) {
        looked.received = old->received;
        looked.unreadable = old->unreadable;
        looked.refused = all_refused(*old);
        looked.shown_refused = looked.refused;
    }
    return looked;
}

const HeardReceipts::Looked* HeardReceipts::find_looked(OfficeId recipient,
                                                        const LogKey& log) const {
    const auto logs = looked_.find(recipient);
    if (logs == looked_.end()) {
        return nullptr;
    }
    const auto found = logs->second.find(log);
    return found == logs->second.end() ? nullptr : &found->second;
}

std::optional<ShortHash> HeardReceipts::own_id(const LogKey& log, Number number) const {
    const auto found = own_ids_.find({log, number});
    return found == own_ids_.end() ? std::nullopt : std::optional(found->second);
}

void HeardReceipts::remember_own_id(const LogKey& log, Number number, const ShortHash& id) {
    if (own_ids_.size() >= own_ids_max) {
        own_ids_.clear();
    }
    own_ids_.insert_or_assign({log, number}, id);
}

void HeardReceipts::bound_looked(OfficeId recipient) {
    std::size_t runs = 0;
    for (const auto& [log, looked] : looked_[recipient]) {
        for (const auto* set :
             {&looked.received, &looked.unreadable, &looked.refused, &looked.shown_refused}) {
            runs += set->intervals().size();
        }
    }
    if (runs > looked_runs_max) {
        looked_.erase(recipient);
    }
}

}  // namespace fieldpost::engine
