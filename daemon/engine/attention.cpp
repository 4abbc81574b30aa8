#include "daemon/engine/attention.h"

namespace fieldpost::engine {

namespace {

Attention::Key key_of(What what, OfficeId office, const std::optional<storage::ReportKey>& report) {
    return {what, office, storage::is_for_each_report(what) ? report : std::nullopt};
}

}  // namespace

void Attention::load(std::vector<storage::AttentionItem> items) {
    for (auto& item : items) {
        const auto key = key_of(item.what, item.office, item.report);
        items_.insert_or_assign(key, std::move(item));
    }
}

const storage::AttentionItem& Attention::raise(const storage::Event& event, std::uint32_t number,
                                               std::uint32_t count, bool is_news) {
    const auto [at, is_new] = items_.try_emplace(key_of(event.what, event.office, event.report));
    auto& item = at->second;
    if (is_new) {
        item.what = event.what;
        item.office = event.office;
        item.number = number;
    }
    const bool is_more =
        is_news && (count == 0 || count > item.count || event.detail != item.detail);
    if (is_new || (is_more && item.dismissed != WallTime{})) {
        item.since = event.at;
        item.count = 0;
        item.dismissed = {};
    }
    item.count = count == 0 ? item.count + 1 : count;
    item.report = event.report;
    item.detail = event.detail;
    return item;
}

const storage::AttentionItem* Attention::dismiss(std::uint32_t number, WallTime at) {
    for (auto& [key, item] : items_) {
        if (item.number == number) {
            item.dismissed = at;
            return &item;
        }
    }
    return nullptr;
}

}  // namespace fieldpost::engine
