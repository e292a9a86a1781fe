import argparse
import glob
import os

import joblib
import pandas as pd
from sklearn.ensemble import RandomForestRegressor
from sklearn.metrics import r2_score

if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--n-estimators", type=int, default=10)
    parser.add_argument("--min-samples-leaf", type=int, default=3)
    parser.add_argument("--model-dir", type=str, default=os.environ.get("SM_MODEL_DIR"))
    parser.add_argument("--train", type=str, default=os.environ.get("SM_CHANNEL_TRAIN"))
    parser.add_argument("--output-data-dir", type=str, default=os.environ.get("SM_OUTPUT_DATA_DIR"))
    args, _ = parser.parse_known_args()

    frames = [pd.read_csv(path) for path in sorted(glob.glob(os.path.join(args.train, "*.csv")))]
    data = pd.concat(frames)
    test = data.iloc[::4]
    train = data.drop(test.index)

    model = RandomForestRegressor(args.n_estimators, min_samples_leaf=args.min_samples_leaf, random_state=0)
    model.fit(train.drop(columns="target"), train["target"])
    print("r2=%.4f" % r2_score(test["target"], model.predict(test.drop(columns="target"))))

    joblib.dump(model, os.path.join(args.model_dir, "model.joblib"))
