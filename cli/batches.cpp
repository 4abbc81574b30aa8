#include "cli/batches.h"

#include "proto/control.pb.h"

namespace fieldpost::cli {

namespace {

constexpr std::size_t reports_a_page = 50;

}  // namespace

int ask_in_batches(const Common& common, std::span<const std::string> ids, std::size_t batch_size,
                   const MakeRequest& make, const std::function<void(const wire::Answer&)>& print) {
    std::vector<std::span<const std::string>> batches;
    for (auto left = ids; !left.empty();) {
        batches.push_back(left.first(std::min(left.size(), batch_size)));
        left = left.subspan(batches.back().size());
    }
    // A few are checked with the request that changes them.
    for (const auto& batch : batches) {
        wire::Answer answer;
        const auto asked =
            batches.size() == 1 ? Outcome<void>{} : ask(common, make(batch, true), answer);
        if (!asked) {
            return report(common, asked.error());
        }
    }
    for (const auto& batch : batches) {
        wire::Answer answer;
        if (const auto asked = ask(common, make(batch, false), answer, Asking::to_change); !asked) {
            return report(common, asked.error());
        }
        print(answer);
    }
    return exit_done;
}

Outcome<void> ask_in_pages(const Common& common, std::span<const std::string> ids,
                           const MakeRequest& make,
                           const std::function<Outcome<void>(const wire::Answer&)>& take) {
    if (ids.size() > reports_a_page) {
        wire::Answer answer;
        if (auto asked = ask(common, make(ids, true), answer); !asked) {
            return asked;
        }
    }
    while (!ids.empty()) {
        wire::Answer answer;
        auto asked =
            ask(common, make(ids.first(std::min(ids.size(), reports_a_page)), false), answer);
        if (asked) {
            asked = take(answer);
        }
        if (!asked) {
            return asked;
        }
        ids = ids.subspan(std::clamp<std::size_t>(answer.done_ids(), 1, ids.size()));
    }
    return {};
}

}  // namespace fieldpost::cli
