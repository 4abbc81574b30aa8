#include "daemon/engine/membership/groups.h"

#include "crypto/epoch_chain.h"
#include "crypto/group_key.h"
#include "crypto/register_seal.h"
#include "daemon/engine/membership/authority.h"
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
    if (slot.prekey_epoch == 0) {
        return true;  // a link key, which never changes
    }
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

namespace {

// From this office's own slot on the page.
Result<crypto::BoxKeyPair> open_own_slot(const Ledger& ledger, const EpochSlots& page) {
    const auto slot = std::ranges::find(page.slots, ledger.us(), &EpochSlots::Slot::office);
    if (slot == page.slots.end()) {
        return fail(Errc::unavailable, "group key: no slot of this office");
    }
    if (page.group == transport_group) {
        return crypto::open_slot(ledger.network(), page, ledger.us(), 0,
                                 ledger.config().machine->link);
    }
    const auto& prekeys = ledger.config().mail->prekeys;
    const auto prekey = prekeys.find(slot->prekey_epoch);
    return prekey == prekeys.end()
               ? fail(Errc::unavailable, "group key: a slot under a prekey that is gone")
               : crypto::open_slot(ledger.network(), page, ledger.us(), slot->prekey_epoch,
                                   prekey->second);
}

// Calls `each` with every register that has a page of the transport.
template <class Each>
void for_each_transport_page(const Ledger& ledger, const Each& each) {
    const auto first = first_page();
    for (auto at = ledger.registers().lower_bound(first);
         at != ledger.registers().end() && at->first.key.signer == first.signer &&
         at->first.key.kind == first.kind;
         ++at) {
        const auto group = ByteReader(at->first.key.subject).read_u16();
        if (group && OfficeId{*group} == transport_group) {
            each(at->second);
        }
    }
}

}  // namespace

Result<crypto::BoxKeyPair> group_key_of(const Ledger& ledger, OfficeId group, std::uint16_t epoch) {
    for (const auto& page : all_pages(ledger, group)) {
        if (page.epoch < epoch) {
            continue;
        }
        auto pair = open_own_slot(ledger, page);
        if (!pair && pair.error().code == Errc::unavailable) {
            continue;
        }
        if (!pair || page.epoch == epoch) {
            return pair;
        }
        return crypto::BoxKeyPair::from_secret(
            crypto::earlier_epoch_secret(pair->secret, ledger.network(), group, page.epoch, epoch));
    }
    return fail(Errc::unavailable, "group key: no slot of this office has come yet");
}

std::uint16_t transport_epoch(const Ledger& ledger) {
    std::uint64_t highest = 0;
    for_each_transport_page(
        ledger, [&](const Register& page) { highest = std::max(highest, page.version.counter); });
    return static_cast<std::uint16_t>(highest >> 32U);
}

Result<crypto::BoxSecret> transport_secret_on(const Ledger& ledger, const EpochSlots& page) {
    return TRY(open_own_slot(ledger, page)).secret.duplicate();
}

const Transport::Newest* Transport::newest(const Ledger& ledger) {
    // The pages of an epoch come one by one, and this office's slot may be on the last.
    std::pair<std::size_t, std::uint64_t> now;
    for_each_transport_page(ledger, [&](const Register& page) {
        ++now.first;
        now.second += page.version.counter;
    });
    if (now != looked_at_) {
        looked_at_ = now;
        for (const auto& page : all_pages(ledger, transport_group)) {
            if (newest_ && page.epoch <= newest_->epoch) {
                continue;
            }
            if (auto secret = transport_secret_on(ledger, page)) {
                newest_ = Newest{page.epoch, std::move(*secret)};
            }
        }
    }
    return newest_ ? &*newest_ : nullptr;
}

namespace {

// True if an office has left that may have the founding key: by its invitation at least.
bool has_lost_anybody(const Ledger& ledger) {
    return std::ranges::any_of(ledger.roster().offices(),
                               [](const auto& entry) { return !entry.second.is_live(); });
}

std::size_t member_count(const Ledger& ledger) {
    return static_cast<std::size_t>(std::ranges::count_if(
        ledger.roster().offices(), [](const auto& entry) { return entry.second.is_member(); }));
}

}  // namespace

bool has_groups_to_tend(const Ledger& ledger) {
    return check_authority(ledger) && ledger.roster().founding().threshold == 1 &&
           (has_lost_anybody(ledger) || member_count(ledger) > limits::recipients_max);
}

namespace {

// Writes the pages of one group that have to change.
class PageWriter {
public:
    // If an office that has the key has left, a new epoch begins, without a page yet.
    PageWriter(Ledger& ledger, OfficeId group, Now now)
        : ledger_(&ledger), group_(group), now_(now), pages_(newest_pages(ledger, group)) {
        if (!pages_.empty() && is_lost(ledger, pages_)) {
            epoch_ = static_cast<std::uint16_t>(pages_.front().epoch + 1);
            pages_.clear();
        } else if (!pages_.empty()) {
            epoch_ = pages_.front().epoch;
        }
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
        if (to_write_.empty() || epoch_ > limits::epochs_max) {
            return;
        }
        const auto& founding = ledger_->roster().founding();
        const auto& authority = *ledger_->config().mail->authority;
        // The key is stored nowhere: it follows from the authority's own.
        const auto key = crypto::BoxKeyPair::from_secret(
            crypto::epoch_secret(authority, ledger_->network(), group_, epoch_));
        if (std::ranges::any_of(pages_, [&](const EpochSlots& page) {
                return !page.group_key.is_zero() && page.group_key != key.public_key;
            })) {
            return;  // pages of another authority's key
        }
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
            crypto::seal_slots(ledger_->network(), key, std::move(keys), page);
            auto entry = epoch_slots_register(page, ledger_->wall(now_));
            crypto::sign_epoch_slots(authority, founding, ledger_->network(), entry);
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
            page.epoch = epoch_;
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
        if (group_ == transport_group) {
            const auto& link = ledger_->roster().find(office)->link;
            return crypto::is_key(link) ? std::optional(crypto::SlotKey{office, 0, link})
                                        : std::nullopt;
        }
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
    std::uint16_t epoch_ = 1;
    std::vector<EpochSlots> pages_;
    std::set<std::uint8_t> to_write_;
};

}  // namespace

namespace {

void tend_group(Ledger& ledger, OfficeId group, Now now) {
    const auto is_one = [&](const crypto::RosterOffice& office) {
        return office.is_member() && (group == transport_group || is_in_group(office, group));
    };
    const auto& offices = ledger.roster().offices();
    if (std::ranges::none_of(offices, [&](const auto& one) { return is_one(one.second); })) {
        return;
    }
    PageWriter pages(ledger, group, now);
    for (const auto& [index, office] : offices) {
        if (is_one(office)) {
            pages.serve(index);
        }
    }
    pages.write();
}

}  // namespace

void tend_group_keys(Ledger& ledger, Now now) {
    if (!has_groups_to_tend(ledger) || ledger.config().mail->prekeys.empty()) {
        return;
    }
    if (has_lost_anybody(ledger)) {
        tend_group(ledger, transport_group, now);
    }
    // Pages that are there are tended also if the network has become smaller.
    for (std::uint16_t i = 0; i <= roles; ++i) {
        const OfficeId group{static_cast<std::uint16_t>(value_of(group_base) + i)};
        if (member_count(ledger) > limits::recipients_max || !newest_pages(ledger, group).empty()) {
            tend_group(ledger, group, now);
        }
    }
}

}  // namespace fieldpost::engine
