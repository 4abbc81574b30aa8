#include "daemon/engine/bundle/open_bundles.h"

namespace fieldpost::engine {

Result<void> OpenBundles::take(Ledger& ledger, const BundleFrame& frame, Now now,
                               std::vector<Notice>& notify) {
    taken_from_.insert(frame.bundle);
    return read_[frame.bundle].take(ledger, frame.frame, now, notify);
}

Result<void> OpenBundles::begin(Ledger& ledger, const BundleWanted& wanted, Now now) {
    written_.insert_or_assign(wanted.bundle, TRY(BundleWriter::begin(ledger, wanted.order, now)));
    return ok();
}

void OpenBundles::want(const BundleMore& more) {
    if (written_.contains(more.bundle)) {
        wanted_.insert_or_assign(more.bundle, more);
    }
}

void OpenBundles::end(Ledger& ledger, BundleId bundle) {
    written_.erase(bundle);
    wanted_.erase(bundle);
    if (const auto found = read_.find(bundle); found != read_.end()) {
        found->second.end(ledger);
        ended_.insert(bundle);
    }
}

Result<bool> OpenBundles::finish_bodies(Ledger& ledger, Now now, std::vector<Notice>& notify) {
    bool any = false;
    for (const auto bundle : taken_from_) {
        any = TRY(read_[bundle].finish_bodies(ledger, now, notify)) || any;
    }
    return any;
}

Result<std::optional<BundleWriter::Unpublished>> OpenBundles::write(Ledger& ledger,
                                                                    std::vector<Notice>& notify) {
    while (!wanted_.empty()) {
        const auto next = wanted_.begin();
        auto step = TRY(written_.at(next->first).next(ledger, next->second));
        if (const auto* unpublished = std::get_if<BundleWriter::Unpublished>(&step)) {
            next->second.is_new_file = false;  // it has begun
            return std::optional(*unpublished);
        }
        auto& content = std::get<BundleContent>(step);
        content.bundle = next->first;
        notify.emplace_back(std::move(content));
        wanted_.erase(next);
    }
    return std::optional<BundleWriter::Unpublished>{};
}

void OpenBundles::tell(std::vector<Notice>& notify) {
    for (const auto bundle : std::exchange(taken_from_, {})) {
        notify.emplace_back(BundleTaken{bundle, read_[bundle].report()});
    }
    for (const auto bundle : std::exchange(ended_, {})) {
        notify.emplace_back(BundleTaken{bundle, read_[bundle].report()});
        read_.erase(bundle);
    }
}

}  // namespace fieldpost::engine
