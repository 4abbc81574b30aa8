#include "cli/batches.h"

#include "proto/control.pb.h"

namespace fieldpost::cli {

namespace {

constexpr std::size_t reports_a_commit = 500;

}  // namespace

int ask_in_batches(const Common& common, std::span<const std::string> ids, const MakeRequest& make,
                   const std::function<void(const wire::Answer&)>& print) {
    std::vector<std::span<const std::string>> batches;
    for (auto left = ids; !left.empty();) {
        batches.push_back(left.first(std::min(left.size(), reports_a_commit)));
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

}  // namespace fieldpost::cli
