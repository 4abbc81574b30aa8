#include "daemon/engine/membership/groups.h"

#include "crypto/group_key.h"
#include "crypto/register_seal.h"
#include "daemon/engine/record/addressees.h"
#include "proto/limits.h"

namespace fieldpost::engine {

namespace {

// With so many slots and one signature, a page takes 3.8 of 4 KiB.
constexpr std::size_t slots_a_page = 100;
constexpr std::size_t pages_max = 256;
// A member that changes its prekeys all the time costs the other offices one page a day at most.
constexpr std::int64_t renewal_seconds = 86400;

RegisterKey first_page() {
    return {authority_signer, static_cast<std::uint8_t>(RegisterKind::epoch_slots), {}};
}

// All pages known of a group, of every epoch.
std::vector<EpochSlots> all_pages(const Ledger& ledger, OfficeId group) {
    std::vector<EpochSlots> pages;
    const auto first = first_page();
    for (auto at = ledger.registers().lower_bound(first);
         at != ledger.registers().end() && at->first.key.signer == first.signer &&
         at->first.key.kind == first.kind;
         ++at) {
        auto page = decode_epoch_slots(at->second);
        // A register that an invitation brought was not verified when it was kept.
        if (page && page->group == group &&
            crypto::verify_epoch_slots(ledger.roster().founding(), ledger.network(), at->second)) {
            pages.push_back(std::move(*page));
        }
    }
    return pages;
}

// The pages of the newest epoch that tell the same group key as the first of them.
std::vector<EpochSlots> newest_pages(const Ledger& ledger, OfficeId group) {
    auto pages = all_pages(ledger, group);
    if (!pages.empty()) {
        const auto newest = std::ranges::max(pages, {}, &EpochSlots::epoch).epoch;
        std::erase_if(pages, [&](const EpochSlots& page) { return page.epoch != newest; });
        const auto key = pages.front().group_key;
        std::erase_if(pages, [&](const EpochSlots& page) { return page.group_key != key; });
    }
    return pages;
}

// True if an office holds the key and has left the network, so it must not read any more. An office
// that a later roster admits has not left.
bool is_lost(const Ledger& ledger, const std::vector<EpochSlots>& pages) {
    return std::ranges::any_of(pages, [&](const EpochSlots& page) {
        return std::ranges::any_of(page.slots, [&](const EpochSlots::Slot& slot) {
            const auto* office = ledger.roster().find(slot.office);
            return office != nullptr && office->has_keys() && !office->is_member();
        });
    });
}

// True if the office still lists the prekey of its slot, as far as its statement is known. A slot
// under a prekey that is gone opens nothing.
bool still_has_prekey(const Ledger& ledger, const EpochSlots::Slot& slot) {
    const auto* statement = ledger.statement(slot.office);
    return statement == nullptr || statement->prekeys.empty() ||
           std::ranges::find(statement->prekeys, slot.prekey_epoch, &Prekey::epoch) !=
               statement->prekeys.end();
}

}  // namespace

std::optional<GroupKey> usable_group_key(const Ledger& ledger, OfficeId group) {
    const auto pages = newest_pages(ledger, group);
    if (pages.empty() || is_lost(ledger, pages)) {
        return std::nullopt;
    }
    GroupKey key{pages.front().epoch, pages.front().group_key, {}};
    for (const auto& page : pages) {
        for (const auto& slot : page.slots) {
            if (still_has_prekey(ledger, slot)) {
                key.holders.insert(slot.office);
            }
        }
    }
    return key;
}

Result<crypto::BoxKeyPair> group_key_of(const Ledger& ledger, OfficeId group, std::uint16_t epoch) {
    const auto& prekeys = ledger.config().mail->prekeys;
    for (const auto& page : all_pages(ledger, group)) {
        const auto slot = std::ranges::find(page.slots, ledger.us(), &EpochSlots::Slot::office);
        if (page.epoch != epoch || slot == page.slots.end()) {
            continue;
        }
        if (const auto prekey = prekeys.find(slot->prekey_epoch); prekey != prekeys.end()) {
            return crypto::open_slot(ledger.network(), page, ledger.us(), slot->prekey_epoch,
                                     prekey->second);
        }
    }
    return fail(Errc::unavailable, "group key: no slot of this office has come yet");
}

bool has_groups_to_tend(const Ledger& ledger) {
    const auto* mail = ledger.config().mail;
    if (mail == nullptr || !mail->authority || ledger.meta().roster_frozen ||
        ledger.meta().stopped || ledger.roster().founding().threshold != 1) {
        return false;
    }
    return static_cast<std::size_t>(
               std::ranges::count_if(ledger.roster().offices(), [](const auto& entry) {
                   return entry.second.is_member();
               })) > limits::recipients_max;
}

namespace {

// Writes the pages of one group that have to change.
class PageWriter {
public:
    PageWriter(Ledger& ledger, OfficeId group, Now now)
        : ledger_(&ledger), group_(group), now_(now), pages_(newest_pages(ledger, group)) {}

    // False: the key cannot be handed on, because this office cannot open it, or must not, because
    // an office that left holds it.
    bool take_key() {
        if (pages_.empty()) {
            key_ = crypto::BoxKeyPair::random();
            return true;
        }
        if (is_lost(*ledger_, pages_)) {
            return false;
        }
        auto key = group_key_of(*ledger_, group_, pages_.front().epoch);
        if (key) {
            key_ = std::move(*key);
        }
        return key.has_value();
    }

    void serve(OfficeId office) {
        for (auto& page : pages_) {
            const auto slot = std::ranges::find(page.slots, office, &EpochSlots::Slot::office);
            if (slot != page.slots.end()) {
                if (!still_has_prekey(*ledger_, *slot) && is_old(page) && prekey_of(office)) {
                    rewrite(page);
                }
                return;
            }
        }
        if (prekey_of(office)) {
            add(office);
        }
    }

    void write() {
        const auto& founding = ledger_->roster().founding();
        for (auto& page : pages_) {
            if (!to_write_.contains(page.page)) {
                continue;
            }
            std::vector<crypto::SlotKey> keys;
            for (const auto& slot : page.slots) {
                if (const auto prekey = prekey_of(slot.office)) {
                    keys.push_back(*prekey);
                }
            }
            page.roster_version = ledger_->roster().version();
            crypto::seal_slots(ledger_->network(), key_, std::move(keys), page);
            auto entry = epoch_slots_register(page, ledger_->wall(now_));
            crypto::sign_epoch_slots(*ledger_->config().mail->authority, founding,
                                     ledger_->network(), entry);
            ledger_->keep_register(entry);
        }
    }

private:
    void add(OfficeId office) {
        if (pages_.empty() || pages_.back().slots.size() >= slots_a_page) {
            if (pages_.size() == pages_max) {
                return;
            }
            EpochSlots page;
            page.group = group_;
            page.page = pages_.empty() ? std::uint8_t{0}
                                       : static_cast<std::uint8_t>(pages_.back().page + 1);
            page.epoch = pages_.empty() ? std::uint16_t{1} : pages_.front().epoch;
            pages_.push_back(std::move(page));
            to_write_.insert(pages_.back().page);
        } else {
            rewrite(pages_.back());
        }
        pages_.back().slots.push_back({office, 0, {}});
    }

    void rewrite(EpochSlots& page) {
        if (to_write_.insert(page.page).second) {
            ++page.revision;
        }
    }

    [[nodiscard]] bool is_old(const EpochSlots& page) const {
        const auto* entry = ledger_->newest(epoch_slots_register(page, {}).key);
        return entry != nullptr && is_older_than(entry->at, renewal_seconds, ledger_->wall(now_));
    }

    // The newest prekey of an office. Nothing if the key is not valid: one bad key would spoil the
    // page for all others.
    std::optional<crypto::SlotKey> prekey_of(OfficeId office) {
        if (office == ledger_->us()) {
            const auto& [epoch, pair] = *ledger_->config().mail->prekeys.rbegin();
            return crypto::SlotKey{office, epoch, pair.public_key};
        }
        const auto* statement = ledger_->statement(office);
        if (statement == nullptr || statement->prekeys.empty() ||
            !ledger_->is_own_prekey(office, statement->prekeys.back()) ||
            !crypto::is_key(statement->prekeys.back().key)) {
            return std::nullopt;
        }
        const auto& prekey = statement->prekeys.back();
        return crypto::SlotKey{office, prekey.epoch, prekey.key};
    }

    Ledger* ledger_;
    OfficeId group_;
    Now now_;
    std::vector<EpochSlots> pages_;
    std::set<std::uint8_t> to_write_;
    crypto::BoxKeyPair key_;
};

}  // namespace

void tend_group_keys(Ledger& ledger, Now now) {
    if (!has_groups_to_tend(ledger) || ledger.config().mail->prekeys.empty()) {
        return;
    }
    for (std::uint16_t i = 0; i <= roles; ++i) {
        const OfficeId group{static_cast<std::uint16_t>(value_of(group_base) + i)};
        const auto is_one = [&](const crypto::RosterOffice& office) {
            return office.is_member() && is_in_group(office, group);
        };
        const auto& offices = ledger.roster().offices();
        if (std::ranges::none_of(offices, [&](const auto& one) { return is_one(one.second); })) {
            continue;
        }
        PageWriter pages(ledger, group, now);
        if (!pages.take_key()) {
            continue;
        }
        // The key is stored nowhere else: the authority reads it back from its own slot when it
        // hands it on later.
        pages.serve(ledger.us());
        for (const auto& [index, office] : offices) {
            if (is_one(office)) {
                pages.serve(index);
            }
        }
        pages.write();
    }
}

}  // namespace fieldpost::engine
