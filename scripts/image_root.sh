#!/usr/bin/env bash
# image_root.sh BINARY DIRECTORY: lays out the root directory of the image on Debian: the binary, the
# shared libraries it is linked with, the CA certificates, and a user. The dpkg status of their packages
# goes to /var/lib/dpkg/status.d, where scanners look for it, and their licences to /usr/share/doc.
set -euo pipefail
binary="${1:?usage: image_root.sh BINARY DIRECTORY}"
image="${2:?usage: image_root.sh BINARY DIRECTORY}"
here="$(CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)"

mkdir -p -- "$image"
install -D -m 755 -- "$binary" "$image/usr/bin/omni-connection-operator"
install -D -m 644 -- "$here/../LICENSE" "$image/usr/share/doc/omni-connection-operator/LICENSE"

# As on Debian, /lib and /lib64 are links: the loader is looked for in /lib64.
mkdir -p -- "$image"/usr/lib "$image"/usr/lib64
ln -s usr/lib "$image/lib"
ln -s usr/lib64 "$image/lib64"

listing="$(ldd "$binary")"
if grep -q 'not found' <<<"$listing"; then
    printf 'image_root.sh: %s\n' "$listing" >&2
    exit 1
fi
packages=(ca-certificates)
while read -r library; do
    install -D -m 755 -- "$library" "$image$library"
    file="$(readlink -f -- "$library")"
    # dpkg knows a file under the path that its package names: with /usr in front, or without.
    package="$({ dpkg-query --search "$file" || dpkg-query --search "${file#/usr}"; } 2>/dev/null |
        cut -d : -f 1)"
    packages+=("$package")
done < <(grep -oE '/[^ ]+\.so[^ ]*' <<<"$listing")

# OpenSSL looks a CA up by its hash, among links to these files.
mkdir -p -- "$image/etc/ssl" "$image/usr/lib/ssl"
cp -a -- /etc/ssl/certs "$image/etc/ssl/"
rm -- "$image/etc/ssl/certs/ca-certificates.crt"
cp -aL -- /usr/share/ca-certificates "$image/usr/share/"
ln -s /etc/ssl/certs "$image/usr/lib/ssl/certs"
ln -s /etc/ssl/certs/ca-certificates.crt "$image/usr/lib/ssl/cert.pem" # for who mounts a bundle there

printf 'root:x:0:0:root:/:/usr/sbin/nologin\nnonroot:x:65532:65532:nonroot:/:/usr/sbin/nologin\n' \
    >"$image/etc/passwd"
printf 'root:x:0:\nnonroot:x:65532:\n' >"$image/etc/group"
printf 'passwd: files\ngroup: files\nhosts: files dns\n' >"$image/etc/nsswitch.conf"
cp -- /etc/os-release "$image/etc/os-release"

mapfile -t packages < <(printf '%s\n' "${packages[@]}" | sort -u)
mkdir -p -- "$image/var/lib/dpkg/status.d"
for package in "${packages[@]}"; do
    dpkg-query --status "$package" | sed '/^Conffiles:/,/^[^ ]/{/^Conffiles:/d;/^ /d}' \
        >"$image/var/lib/dpkg/status.d/$package"
    copyright="/usr/share/doc/$package/copyright"
    [[ ! -e "$copyright" ]] || install -D -m 644 -- "$copyright" "$image$copyright"
done
printf 'image: %s, %s\n' "$(du -sh --apparent-size -- "$image" | cut -f 1)" "${packages[*]}"
