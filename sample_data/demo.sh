#!/bin/sh
# The main job from end to end on the sample data: sh sample_data/demo.sh GEOSEG FOLDER
set -eu
geoseg=$1
out=$2
mkdir -p "$out"

step() { printf '\n== %s\n' "$1"; shift; printf '$ geoseg %s\n' "$*"; "$geoseg" "$@"; }

step "Train DeepLabV3+ on three scenes of an invented town (a few minutes)" \
    train sample.yaml --runs "$out/runs" --set "data.prepared=$out/prepared"
model=$out/runs/latest/best.safetensors
step "Predict a scene the network has never seen" \
    predict sample_data/images/school.tif -o "$out/school_mask.tif" --model "$model" --overwrite
step "Predict a scene with a nodata collar" \
    predict sample_data/images/collar.tif -o "$out/collar_mask.tif" --model "$model" --overwrite
step "Turn the mask into polygons" \
    polygonize "$out/school_mask.tif" -o "$out/school.gpkg" --min-area 2 --simplify 0.5 --overwrite
step "Evaluate the model on the test split" \
    evaluate sample.yaml --model "$model" --split test --json "$out/scores.json" --overwrite
step "Draw pictures" \
    picture sample_data/images/school.tif --mask "$out/school_mask.tif" --reference sample_data/labels/school.tif \
    --polygons "$out/school.gpkg" -o "$out/school.png" --overwrite
step "And of the collar" \
    picture sample_data/images/collar.tif --mask "$out/collar_mask.tif" --reference sample_data/labels/collar.tif \
    -o "$out/collar.png" --overwrite

cat <<END

What lies where:
  $model   the model: weights, classes, bands and scaling in one file (geoseg info tells)
  $out/school_mask.tif    the mask, a Cloud Optimized GeoTIFF with colours and class names
  $out/school.gpkg        the polygons, styled for QGIS
  $out/collar_mask.tif    the mask of a scene with a nodata collar: nodata stays nodata
  $out/scores.json        scores on the test split
  $out/school.png         image, mask, reference, errors and outlines side by side
  $out/collar.png         the same for the scene with the collar
END
