import type { ReactNode } from 'react'

/** 16 px line icons, drawn for this product so that the bundle carries exactly those used. All are decoration: name the control. */
function icon(paths: ReactNode) {
  return function Icon({ className = 'size-4' }: { className?: string }) {
    return (
      <svg
        aria-hidden
        viewBox="0 0 16 16"
        fill="none"
        stroke="currentColor"
        strokeWidth="1.5"
        strokeLinecap="round"
        strokeLinejoin="round"
        className={`shrink-0 ${className}`}
      >
        {paths}
      </svg>
    )
  }
}

export const CloseIcon = icon(<path d="m4 4 8 8m0-8-8 8" />)
export const CopyIcon = icon(
  <>
    <rect x="5.5" y="5.5" width="8" height="8" rx="1.5" />
    <path d="M10.5 5.5v-2a1 1 0 0 0-1-1h-6a1 1 0 0 0-1 1v6a1 1 0 0 0 1 1h2" />
  </>,
)
export const BellIcon = icon(
  <>
    <path d="M3.5 11.5h9c-1-1-1.3-2-1.3-4.2a3.2 3.2 0 0 0-6.4 0c0 2.2-.3 3.2-1.3 4.2Z" />
    <path d="M6.8 13.6a1.4 1.4 0 0 0 2.4 0" />
  </>,
)
export const TickIcon = icon(<path d="m3 8.5 3.2 3.2L13 5" />)
export const SearchIcon = icon(
  <>
    <circle cx="7" cy="7" r="4.5" />
    <path d="m10.5 10.5 3 3" />
  </>,
)
export const EyeIcon = icon(
  <>
    <path d="M1.5 8S4 3.5 8 3.5 14.5 8 14.5 8 12 12.5 8 12.5 1.5 8 1.5 8Z" />
    <circle cx="8" cy="8" r="2" />
  </>,
)
export const EyeOffIcon = icon(
  <>
    <path d="M6.2 3.8A6 6 0 0 1 8 3.5c4 0 6.5 4.5 6.5 4.5a11 11 0 0 1-1.7 2.2M4 5A10.5 10.5 0 0 0 1.5 8S4 12.5 8 12.5a6 6 0 0 0 3-.8M2.5 2.5l11 11" />
  </>,
)
export const DotsIcon = icon(
  <>
    <circle cx="3.5" cy="8" r=".6" fill="currentColor" />
    <circle cx="8" cy="8" r=".6" fill="currentColor" />
    <circle cx="12.5" cy="8" r=".6" fill="currentColor" />
  </>,
)
export const ChevronIcon = icon(<path d="m6 3.5 4.5 4.5L6 12.5" />)
export const SortUpIcon = icon(<path d="M8 13V3m-3.5 3.5L8 3l3.5 3.5" />)
export const SortDownIcon = icon(<path d="M8 3v10m-3.5-3.5L8 13l3.5-3.5" />)
export const FilterIcon = icon(<path d="M2 3.5h12M4.5 8h7M6.5 12.5h3" />)
export const ColumnsIcon = icon(
  <>
    <rect x="2" y="3" width="12" height="10" rx="1.5" />
    <path d="M6 3v10m4-10v10" />
  </>,
)
export const DownloadIcon = icon(<path d="M8 2.5v7.5m-3-3 3 3 3-3M3 13h10" />)
export const ExpandIcon = icon(<path d="M9.5 2.5h4v4m0-4-4.5 4.5M6.5 13.5h-4v-4m0 4L7 9" />)
export const ChartIcon = icon(<path d="M2.5 2.5v11h11M5 10l2.5-3.5L10 9l3-4.5" />)
export const SweepIcon = icon(
  <>
    <path d="M3 2.5v11M8 2.5v11M13 2.5v11" />
    <path d="m3 11 5-6 5 4.5" />
  </>,
)
export const TableIcon = icon(
  <>
    <rect x="2" y="3" width="12" height="10" rx="1.5" />
    <path d="M2 6.5h12M2 10h12" />
  </>,
)
export const PeopleIcon = icon(
  <>
    <circle cx="6" cy="5.5" r="2.5" />
    <path d="M1.5 13.5c0-2.5 2-4 4.5-4s4.5 1.5 4.5 4M10.5 3.3a2.5 2.5 0 0 1 0 4.4M12 9.8c1.5.5 2.5 1.8 2.5 3.7" />
  </>,
)
export const GearIcon = icon(
  <>
    <circle cx="8" cy="8" r="2.2" />
    <path d="M8 1.5v2m0 9v2m6.5-6.5h-2m-9 0h-2m11.1-4.6-1.4 1.4m-6.4 6.4-1.4 1.4m9.2 0-1.4-1.4M4.8 4.8 3.4 3.4" />
  </>,
)
export const KeyIcon = icon(
  <>
    <circle cx="5" cy="11" r="2.5" />
    <path d="m7 9 6-6m-2 2 1.5 1.5" />
  </>,
)
export const StopIcon = icon(<rect x="4" y="4" width="8" height="8" rx="1" />)
export const TrashIcon = icon(<path d="M2.5 4.5h11M6 4.5v-2h4v2M4 4.5l.6 9h6.8l.6-9" />)
export const SunIcon = icon(
  <>
    <circle cx="8" cy="8" r="3" />
    <path d="M8 1.5v1m0 11v1M1.5 8h1m11 0h1M3.4 3.4l.7.7m7.8 7.8.7.7m0-9.2-.7.7m-7.8 7.8-.7.7" />
  </>,
)
export const MoonIcon = icon(<path d="M13 9.5A5.5 5.5 0 0 1 6.5 3a5.5 5.5 0 1 0 6.5 6.5Z" />)
export const PlusIcon = icon(<path d="M8 3v10M3 8h10" />)
export const ResetIcon = icon(<path d="M3 8a5 5 0 1 1 1.5 3.6M3 4.5V8h3.5" />)
export const FolderIcon = icon(
  <path d="M2 4.5a1 1 0 0 1 1-1h3l1.5 1.5H13a1 1 0 0 1 1 1v6a1 1 0 0 1-1 1H3a1 1 0 0 1-1-1Z" />,
)
export const FileIcon = icon(<path d="M4 2.5h5l3 3v8H4ZM9 2.5v3h3" />)
export const LinkIcon = icon(
  <path d="M6.5 9.5a2.5 2.5 0 0 0 3.6 0l2.2-2.2a2.5 2.5 0 0 0-3.6-3.6l-.7.7M9.5 6.5a2.5 2.5 0 0 0-3.6 0L3.7 8.7a2.5 2.5 0 0 0 3.6 3.6l.7-.7" />,
)
export const WrapIcon = icon(<path d="M2.5 4h11M2.5 8h8.5a2 2 0 0 1 0 4H8m1.5-1.5L8 12l1.5 1.5M2.5 12h2.5" />)
export const ClockIcon = icon(
  <>
    <circle cx="8" cy="8" r="5.5" />
    <path d="M8 5v3l2 1.5" />
  </>,
)
export const FollowIcon = icon(<path d="M8 2.5v8m-3.5-3.5L8 10.5 11.5 7M3 13.5h10" />)
export const MenuIcon = icon(<path d="M2.5 4h11m-11 4h11m-11 4h11" />)
export const PinIcon = icon(<path d="M6 2.5h4l-.5 4 2 2.5h-7l2-2.5ZM8 9v4.5" />)
