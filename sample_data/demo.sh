#!/bin/sh
# Run the main commands on the sample data: sh sample_data/demo.sh GEOSEG FOLDER
set -eu
geoseg=$1
out=$2
mkdir -p "$out"

step() { printf '\n== %s\n' "$1"; shift; printf '$ geoseg %s\n' "$*"; "$geoseg" "$@"; }

step "Train DeepLabV3+ on three synthetic scenes (a few minutes)" \
    train sample.yaml --runs "$out/runs" --set "data.prepared=$out/prepared"
model=$out/runs/latest/best.safetensors
step "Predict a scene that was not used in training" \
    predict sample_data/images/school.tif -o "$out/school_mask.tif" --model "$model" --overwrite
step "Predict a scene that is surrounded by nodata" \
    predict sample_data/images/collar.tif -o "$out/collar_mask.tif" --model "$model" --overwrite
step "Convert the mask to polygons" \
    polygonize "$out/school_mask.tif" -o "$out/school.gpkg" --min-area 2 --simplify 0.5 --overwrite
step "Evaluate the model on the test split" \
    evaluate sample.yaml --model "$model" --split test --json "$out/scores.json" --overwrite
step "Draw the scene with its mask, reference and polygons" \
    picture sample_data/images/school.tif --mask "$out/school_mask.tif" --reference sample_data/labels/school.tif \
    --polygons "$out/school.gpkg" -o "$out/school.png" --overwrite
step "Draw the scene that is surrounded by nodata" \
    picture sample_data/images/collar.tif --mask "$out/collar_mask.tif" --reference sample_data/labels/collar.tif \
    -o "$out/collar.png" --overwrite

cat <<END

Output files:
  $model   the model: weights, classes, bands and normalization in one file (see geoseg info)
  $out/school_mask.tif    the mask, a Cloud Optimized GeoTIFF with colors and class names
  $out/school.gpkg        the polygons, styled for QGIS
  $out/collar_mask.tif    the mask of the scene that is surrounded by nodata: nodata pixels stay nodata
  $out/scores.json        scores on the test split
  $out/school.png         image, mask, reference, errors and outlines in one picture
  $out/collar.png         the same for the scene that is surrounded by nodata
END
