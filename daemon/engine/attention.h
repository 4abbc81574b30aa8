// The matters that need a person: one item for each kind and office, counted, numbered for good.
//
// An item is raised by what happened (expired, refused, a fork) or by a state that lasts (a clock
// in doubt), and the latter goes by itself when the state ends. A dismissed item is kept, and
// returns if it happens again.
#pragma once

#include <map>
#include <optional>

#include "daemon/engine/via.h"

namespace fieldpost::engine {

// Own reports without a receipt for so long are listed.
inline constexpr std::int64_t undelivered_seconds = std::int64_t{7} * 86400;

class Attention {
public:
    struct Key {
        What what{};
        OfficeId office{};
        // Answers have an item for each report; other kinds leave this empty.
        std::optional<storage::ReportKey> report{};
        auto operator<=>(const Key&) const = default;
    };

    void load(std::vector<storage::AttentionItem> items);
    [[nodiscard]] const std::map<Key, storage::AttentionItem>& items() const { return items_; }

    // Returns the item to be written. A new item gets `number`. The item's count becomes `count`,
    // or one more if that is 0. What is no news leaves a dismissed item dismissed.
    const storage::AttentionItem& raise(const storage::Event& event, std::uint32_t number,
                                        std::uint32_t count, bool is_news);
    // Nothing if no item has that number.
    const storage::AttentionItem* dismiss(std::uint32_t number, WallTime at);
    void settle(Key key) { items_.erase(key); }

private:
    std::map<Key, storage::AttentionItem> items_;
};

}  // namespace fieldpost::engine
