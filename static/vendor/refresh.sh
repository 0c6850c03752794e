#!/bin/sh
# Fetches the pinned packages again and rebuilds everything in this folder and ../icons.svg.
# Needs npm and python3; run it after changing a version below, then commit the result.
set -eu

TABLER=1.6.1
ICONS=3.51.0
FULLCALENDAR=7.1.0
TEMPORAL=1.0.8
HTMX=2.0.11
FONT=5.3.0
SWAGGER=5.35.0
DELAUNAY=6.0.6
ESBUILD=0.28.2

here=$(cd "$(dirname "$0")" && pwd)
build=$(mktemp -d)
trap 'rm -rf "$build"' EXIT
cd "$build"
echo '{"private": true}' >package.json
npm install --silent \
  "@tabler/core@$TABLER" "@tabler/icons@$ICONS" "fullcalendar@$FULLCALENDAR" \
  "temporal-polyfill@$TEMPORAL" "htmx.org@$HTMX" "@fontsource/be-vietnam-pro@$FONT" \
  "swagger-ui-dist@$SWAGGER" "d3-delaunay@$DELAUNAY" "esbuild@$ESBUILD"
m="$build/node_modules"

fresh() { # fresh NAME VERSION: an empty folder for one package, older versions gone
  rm -rf "$here/$1"-[0-9]*
  out="$here/$1-$2"
  mkdir -p "$out"
}

fresh tabler "$TABLER"
sed '/sourceMappingURL/d' "$m/@tabler/core/dist/css/tabler.min.css" >"$out/tabler.min.css"
# The package carries its licence only as a header; the text is that of the MIT licence.
cat >"$out/LICENSE" <<'LICENCE'
The MIT License (MIT)

Copyright (c) 2018-2026 The Tabler Authors

Permission is hereby granted, free of charge, to any person obtaining a copy of this software and
associated documentation files (the "Software"), to deal in the Software without restriction,
including without limitation the rights to use, copy, modify, merge, publish, distribute,
sublicense, and/or sell copies of the Software, and to permit persons to whom the Software is
furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all copies or
substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT
NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND
NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES
OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM, OUT OF OR IN
CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.
LICENCE

fresh tabler-icons "$ICONS"
cp "$m/@tabler/icons/LICENSE" "$out/LICENSE"
python3 "$here/sprite.py" "$m/@tabler/icons/icons" "$here/icons.txt" "$here/../icons.svg"

fresh fullcalendar "$FULLCALENDAR"
cat >entry.js <<'ENTRY'
import 'temporal-polyfill/global'
export { Calendar } from 'fullcalendar'
export { default as dayGrid } from 'fullcalendar/daygrid'
export { default as timeGrid } from 'fullcalendar/timegrid'
export { default as list } from 'fullcalendar/list'
export { default as interaction } from 'fullcalendar/interaction'
export { default as classicTheme } from 'fullcalendar/themes/classic'
export { default as vi } from 'fullcalendar/locales/vi'
ENTRY
"$m/.bin/esbuild" entry.js --bundle --minify --format=esm --target=es2020 \
  --legal-comments=inline --log-level=warning --outfile="$out/fullcalendar.min.js"
cat "$m/fullcalendar/skeleton.css" "$m/fullcalendar/themes/classic/theme.css" \
  "$m/fullcalendar/themes/classic/palette.css" >fullcalendar.css
"$m/.bin/esbuild" fullcalendar.css --minify --log-level=warning --outfile="$out/fullcalendar.min.css"
cp "$m/fullcalendar/LICENSE.md" "$out/LICENSE.md"
cp "$m/preact/LICENSE" "$out/LICENSE.preact"
cp "$m/temporal-polyfill/LICENSE" "$out/LICENSE.temporal-polyfill"

fresh htmx "$HTMX"
cp "$m/htmx.org/dist/htmx.min.js" "$m/htmx.org/LICENSE" "$out/"

fresh be-vietnam-pro "$FONT"
cp "$m/@fontsource/be-vietnam-pro/LICENSE" "$out/LICENSE"
for subset in latin latin-ext vietnamese; do
  for weight in 400 500 600 700; do
    cp "$m/@fontsource/be-vietnam-pro/files/be-vietnam-pro-$subset-$weight-normal.woff2" \
      "$out/$subset-$weight.woff2"
  done
done
python3 "$here/font_faces.py" >"$out/be-vietnam-pro.css"

fresh swagger-ui "$SWAGGER"
sed '/sourceMappingURL/d' "$m/swagger-ui-dist/swagger-ui-bundle.js" >"$out/swagger-ui-bundle.js"
sed '/sourceMappingURL/d' "$m/swagger-ui-dist/swagger-ui.css" >"$out/swagger-ui.css"
cp "$m/swagger-ui-dist/LICENSE" "$m/swagger-ui-dist/NOTICE" "$out/"
cp "$m/swagger-ui-dist/swagger-ui-bundle.js.LICENSE.txt" "$out/LICENSE.bundled.txt"

fresh d3-delaunay "$DELAUNAY"
echo "export { Delaunay } from 'd3-delaunay'" >entry.js
"$m/.bin/esbuild" entry.js --bundle --minify --format=esm --target=es2020 \
  --legal-comments=inline --log-level=warning --outfile="$out/d3-delaunay.min.js"
cp "$m/d3-delaunay/LICENSE" "$out/LICENSE"
for within in delaunator robust-predicates; do
  cp "$m/$within/LICENSE" "$out/LICENSE.$within"
done
