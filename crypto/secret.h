// Bytes that nobody else may learn: they cannot be copied, printed or compared with ==, and are
// wiped when they go.
#pragma once

#include <array>

#include "proto/bytes.h"

namespace fieldpost::crypto {

// Must be called before anything else of this folder; aborts if libsodium cannot start.
void start();

void wipe(std::span<std::byte> bytes);
void fill_random(std::span<std::byte> bytes);

template <class Tag, std::size_t N>
class Secret {
public:
    static constexpr std::size_t size = N;

    Secret() = default;
    Secret(Secret&& other) noexcept : bytes_(other.bytes_) { wipe(other.bytes_); }
    Secret& operator=(Secret&& other) noexcept {
        if (this != &other) {
            bytes_ = other.bytes_;
            wipe(other.bytes_);
        }
        return *this;
    }
    Secret(const Secret&) = delete;
    Secret& operator=(const Secret&) = delete;
    ~Secret() { wipe(bytes_); }

    static Secret random() {
        Secret secret;
        fill_random(secret.bytes_);
        return secret;
    }
    // `bytes` must be N long.
    static Secret from(BytesView bytes) {
        ensure(bytes.size() == N, "a secret is made from bytes of its size");
        Secret secret;
        std::ranges::copy(bytes, secret.bytes_.begin());
        return secret;
    }
    // For the rare place that needs a second one: says so by name.
    [[nodiscard]] Secret duplicate() const { return from(bytes_); }

    [[nodiscard]] BytesView view() const { return bytes_; }
    [[nodiscard]] std::span<std::byte, N> mutable_view() { return bytes_; }

private:
    std::array<std::byte, N> bytes_{};
};

using SigningSeed = Secret<struct SigningSeedTag, 32>;
using BoxSecret = Secret<struct BoxSecretTag, 32>;
using SealKey = Secret<struct SealKeyTag, 32>;
using FileKey = Secret<struct FileKeyTag, 16>;

}  // namespace fieldpost::crypto
