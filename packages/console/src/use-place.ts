import { useEffect, useState } from "preact/hooks";

/** The views of the page, by the address's fragment. */
export type Place = "fleet" | "maps";

export function usePlace(): Place {
  const [place, setPlace] = useState<Place>(placeNow);
  useEffect(() => {
    const turn = (): void => {
      setPlace(placeNow());
      window.scrollTo(0, 0);
    };
    window.addEventListener("hashchange", turn);
    return () => window.removeEventListener("hashchange", turn);
  }, []);
  return place;
}

function placeNow(): Place {
  return window.location.hash === "#maps" ? "maps" : "fleet";
}
